"""identity.v1.UserService: changing and resetting passwords."""

from identity_service import (
    accounts,
    audit,
    authorize,
    mail_limits,
    mailed_tokens,
    publish,
    session_cookie,
    sign_in_limits,
    to_proto,
)  # fmt: skip
from identity_service.asked_mails import ask_for_mail
from identity_service.audit import Action
from identity_service.begin_session import new_session, session_to_replace
from identity_service.parts import Handlers
from identity_service.password_rules import NewPassword
from identity_service.queries import known_devices, one_time_tokens, sessions, user_credentials, users
from protos.identity.v1 import credentials_pb2 as pb
from shared import one_time
from shared.call import Context
from shared.caller import current_caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import Fields, reading
from shared.origin import Origin
from shared.reasons import Reason


class UserPasswords(Handlers):
    async def StartPasswordReset(
        self, request: pb.StartPasswordResetRequest, context: Context
    ) -> pb.StartPasswordResetResponse:
        return await ask_for_mail(self.parts, request, context, "reset_password", pb.StartPasswordResetResponse)

    async def FinishPasswordReset(
        self, request: pb.FinishPasswordResetRequest, context: Context
    ) -> pb.FinishPasswordResetResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            token_hash = one_time.hash_of(read.token("token", request.token, most=one_time.MAX_TOKEN))
            # What no account may have; what this one may have is known when the token is.
            self.parts.password_rules.read(read, "new_password", request.new_password, has_second_factor=True)
            request_id = read.optional_uuid("request_id", request.request_id)
        tries = mail_limits.mailed_tokens(origin.source)
        await self.parts.throttle.take(tries)
        async with self.parts.database.single_read() as tx:
            owner = await one_time_tokens.get_token_owner(tx, token_hash=token_hash, purpose="PASSWORD_RESET")
        new, new_hash = None, ""
        if owner is not None:  # nobody else has a hash computed, and a bad password does not cost the token
            with reading() as read:
                new = self._read_new(read, request.new_password, owner)
            new_hash = await self.parts.passwords.hash(new.text)

        async def reset(tx: Tx) -> pb.FinishPasswordResetResponse:
            if new is None:
                raise ServiceError(Reason.TOKEN_INVALID)
            token, user = await mailed_tokens.use_token(tx, token_hash, ("PASSWORD_RESET",))
            if not mailed_tokens.is_of_address(token, user):
                raise ServiceError(Reason.TOKEN_INVALID)
            if new.is_short and not user.has_second_factor:  # removed while we hashed
                raise ServiceError(Reason.CONFLICT)
            row = await self._set_password(tx, origin, user, new_hash, new, proves_address=True)
            await known_devices.delete_known_devices(tx, user_id=user.user_id)
            await audit.record(tx, origin, Action.PASSWORD_RESET, user.user_id)
            await publish.user_changed(tx, "USER_UPDATED", [row])
            await self.parts.throttle.give_back(tx, tries)
            return pb.FinishPasswordResetResponse()

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.FinishPasswordResetResponse, reset, secret_fields=("new_password",)
        )

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: Context) -> pb.ChangePasswordResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        person = caller.signed_in
        async with self.parts.database.transaction() as tx:
            await authorize.recently(tx, caller, self.parts.settings.reauthentication)
            user = await users.get_user(tx, user_id=person.user_id)
        if user is None:
            raise authorize.absent(caller)
        with reading() as read:
            current = read.password("current_password", request.current_password, least=0)
            new = self._read_new(read, request.new_password, user)
            if new.text == current:
                read.wrong("new_password", "the same as the current one")
        # With those of RefreshSession: who stole the session guesses ten times in all, from wherever.
        tries, _ = sign_in_limits.session_buckets(person.session_id)
        async with self.parts.throttle.guess(tries):
            matches = await self.parts.passwords.verify(current, user.password_hash)
            new_hash = await self.parts.passwords.hash(new.text) if matches else None
        if new_hash is None:
            async with self.parts.database.transaction() as tx:
                await audit.record(tx, origin, Action.PASSWORD_WRONG, user.user_id)
            raise ServiceError(Reason.PASSWORD_WRONG)
        async with self.parts.database.transaction() as tx:
            old = await session_to_replace(tx, person, user)
            row = await self._set_password(tx, origin, user, new_hash, new)
            await audit.record(tx, origin, Action.PASSWORD_CHANGED, user.user_id)
            await publish.user_changed(tx, "USER_UPDATED", [row])
            token, began = new_session(
                self.parts.settings, origin, user.user_id, old.amr, device_name=old.device_name or ""
            )
            session = await sessions.insert_session(tx, new=began)
            await self.parts.throttle.give_back(tx, tries)
        await session_cookie.give(context, self.parts.settings, token)
        return pb.ChangePasswordResponse(token=token, session=to_proto.session(session))

    def _read_new(self, read: Fields, value: str, user: Row) -> NewPassword:
        about = (user.email, user.display_name)
        rules, has_second_factor = self.parts.password_rules, user.has_second_factor
        return rules.read(read, "new_password", value, has_second_factor=has_second_factor, about=about)

    async def _set_password(
        self, tx: Tx, origin: Origin, user: Row, password_hash: str, new: NewPassword, *, proves_address: bool = False
    ) -> Row:
        """Whoever knew the old one is out: sessions and tokens end. Their owner is told."""
        row = await user_credentials.update_password(
            tx,
            user_id=user.user_id,
            password_hash=password_hash,
            password_is_short=new.is_short,
            proves_address=proves_address,
        )
        await accounts.sign_out_everywhere(tx, user.user_id)
        await self.parts.outbox.put(tx, "password_changed", row.email, user_id=row.user_id, ip=origin.ip or "")
        return row
