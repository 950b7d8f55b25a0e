"""identity.v1.FactorService: an authenticator app added and taken away, and codes for the day it is lost."""

import asyncio
import io
from uuid import UUID

import segno

from identity_service import audit, authorize, publish, sign_in_limits
from identity_service.audit import Action
from identity_service.parts import Handlers
from identity_service.queries import factors, sessions, users
from identity_service.second_factor import BOTH_FACTORS, MAX_CODE, make_recovery_codes, recovery_hash
from protos.identity.v1 import factors_pb2 as pb
from protos.identity.v1.factors_pb2_grpc import FactorServiceServicer
from shared.call import Context
from shared.caller import Caller, current_caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import reading
from shared.origin import Origin
from shared.reasons import Reason

# Of the address in a QR code: with a longer one no phone could read it, and one far longer fits into none.
MOST_SHOWN = 100


class Factors(Handlers, FactorServiceServicer):
    async def EnrollTotp(self, request: pb.EnrollTotpRequest, context: Context) -> pb.EnrollTotpResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        user_id = caller.user_id
        if not self.parts.second_factors.are_open:
            raise ServiceError(Reason.SECOND_FACTOR_CLOSED)
        async with self.parts.database.transaction() as tx:
            user = await self._lock_self(tx, caller)
            factor = await factors.get_factor(tx, user_id=user_id)
            if factor is not None and factor.confirmed_time is not None:
                raise ServiceError(Reason.FACTOR_EXISTS)
            app, sealed = self.parts.second_factors.new_secret(user_id)
            await factors.upsert_factor(tx, user_id=user_id, secret=sealed)
            await audit.record(tx, origin, Action.TOTP_ENROLLED, user_id)
        uri = app.provisioning_uri(name=user.email[:MOST_SHOWN], issuer_name=self.parts.settings.product_name)
        return pb.EnrollTotpResponse(secret=app.secret, otpauth_uri=uri, qr_png=await asyncio.to_thread(png, uri))

    async def ConfirmTotp(self, request: pb.ConfirmTotpRequest, context: Context) -> pb.ConfirmTotpResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        user_id = caller.user_id
        with reading() as read:
            code = read.token("code", request.code, most=MAX_CODE)
        tries = sign_in_limits.confirmation_bucket(user_id)
        await self.parts.throttle.take(tries)
        async with self.parts.database.transaction() as tx:
            user = await self._lock_self(tx, caller)
            factor = await factors.get_factor(tx, user_id=user_id)
            if factor is None or factor.confirmed_time is not None:
                raise ServiceError(Reason.FACTOR_NOT_FOUND)
            is_right = await self.parts.second_factors.use(tx, factor, code)
            if is_right:
                codes = await self._confirm(tx, origin, user, caller.signed_in.session_id)
                await self.parts.throttle.give_back(tx, tries)
            else:
                await audit.record(tx, origin, Action.CODE_WRONG, user_id)
        if not is_right:
            raise ServiceError(Reason.CODE_WRONG)
        return pb.ConfirmTotpResponse(recovery_codes=codes)

    async def RemoveTotp(self, request: pb.RemoveTotpRequest, context: Context) -> pb.RemoveTotpResponse:
        """A service may also where the password is short: who has lost the app cannot sign in to change it first."""
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            named = read.optional_uuid("user_id", request.user_id)
            request_id = read.optional_uuid("request_id", request.request_id)
        user_id = authorize.subject(caller, named)

        async def remove(tx: Tx) -> pb.RemoveTotpResponse:
            user = await lock(tx, caller, user_id)
            await authorize.recently(tx, caller, self.parts.settings.reauthentication)
            if not user.has_second_factor:
                raise ServiceError(Reason.FACTOR_NOT_FOUND)
            if caller.person is not None and user.password_is_short:
                raise ServiceError(Reason.PASSWORD_TOO_SHORT)
            await factors.delete_factor(tx, user_id=user_id)
            await factors.delete_recovery_codes(tx, user_id=user_id)
            await self._set(tx, user, has_second_factor=False)
            await self._tell(tx, origin, user, Action.TOTP_REMOVED)
            return pb.RemoveTotpResponse()

        return await self.parts.request_results.answer_once(caller, request_id, request, pb.RemoveTotpResponse, remove)

    async def RegenerateRecoveryCodes(
        self, request: pb.RegenerateRecoveryCodesRequest, context: Context
    ) -> pb.RegenerateRecoveryCodesResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        async with self.parts.database.transaction() as tx:
            user = await self._lock_self(tx, caller)
            if not user.has_second_factor:
                raise ServiceError(Reason.FACTOR_NOT_FOUND)
            await factors.delete_recovery_codes(tx, user_id=user.user_id)
            codes = await insert_recovery_codes(tx, user.user_id)
            await self._tell(tx, origin, user, Action.RECOVERY_CODES_REGENERATED)
        return pb.RegenerateRecoveryCodesResponse(recovery_codes=codes)

    async def _lock_self(self, tx: Tx, caller: Caller) -> Row:
        """The user, recently signed in: what is decided about their factor holds until the transaction ends."""
        user = await lock(tx, caller, caller.user_id)
        await authorize.recently(tx, caller, self.parts.settings.reauthentication)
        return user

    async def _confirm(self, tx: Tx, origin: Origin, user: Row, session_id: UUID) -> list[str]:
        """The recovery codes. The session has just proved both factors; others have to before sensitive calls."""
        await factors.update_factor_confirmed(tx, user_id=user.user_id)
        codes = await insert_recovery_codes(tx, user.user_id)
        await sessions.update_session_amr(tx, user_id=user.user_id, session_id=session_id, amr=BOTH_FACTORS)
        await self._set(tx, user, has_second_factor=True)
        await self._tell(tx, origin, user, Action.TOTP_CONFIRMED)
        return codes

    async def _set(self, tx: Tx, user: Row, *, has_second_factor: bool) -> None:
        changed = await users.update_user(tx, user_id=user.user_id, changes={"has_second_factor": has_second_factor})
        await publish.user_changed(tx, "USER_UPDATED", [changed])

    async def _tell(self, tx: Tx, origin: Origin, user: Row, action: Action) -> None:
        """The audit, and the person by mail: with the address it was done from, unless that is a service's."""
        await audit.record(tx, origin, action, user.user_id)
        ip = origin.ip if current_caller().person and origin.ip else ""
        await self.parts.outbox.put(tx, "second_factor_changed", user.email, user_id=user.user_id, ip=ip)


async def lock(tx: Tx, caller: Caller, user_id: UUID) -> Row:
    user = await users.lock_user(tx, user_id=user_id)
    if user is None or user.state == "DELETED":
        raise authorize.absent(caller)
    return user


async def insert_recovery_codes(tx: Tx, user_id: UUID) -> list[str]:
    """The codes, to be shown once: only their hashes are kept."""
    codes = make_recovery_codes()
    await factors.insert_recovery_codes(tx, user_id=user_id, code_hashes=[recovery_hash(code) for code in codes])
    return codes


def png(text: str) -> bytes:
    """As a QR code, with as much redundancy as its size has room for. Takes 10 ms, a quarter of a second at worst."""
    picture = io.BytesIO()
    segno.make(text, error="l", micro=False).save(picture, kind="png", scale=4)
    return picture.getvalue()
