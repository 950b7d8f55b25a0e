"""identity.v1.SessionService: signing in, with a password and where there is a second factor a code."""

from collections.abc import Sequence
from datetime import timedelta

from uuid_utils.compat import uuid7

from identity_service import audit, session_cookie, sign_in_limits, to_proto
from identity_service.audit import Action
from identity_service.begin_session import new_session
from identity_service.known_devices import Device, remember
from identity_service.parts import Handlers
from identity_service.queries import audit_events, challenges, one_time_tokens, sessions, sign_ins, users
from identity_service.queries.login_throttle import Bucket
from identity_service.queries.sign_ins import Account
from identity_service.second_factor import BOTH_FACTORS, MAX_CODE
from protos.identity.v1 import sessions_pb2 as pb
from shared import one_time
from shared.call import Context
from shared.database import Row
from shared.errors import ServiceError
from shared.fields import Fields, email_key, reading
from shared.origin import Origin
from shared.reasons import Reason
from shared.timestamps import timestamp

CHALLENGE_LIFETIME = timedelta(minutes=5)  # to find the phone


class SignIn(Handlers):
    async def CreateSession(self, request: pb.CreateSessionRequest, context: Context) -> pb.CreateSessionResponse:
        if request.challenge_token or request.code:
            response = await self._with_code(request, self.parts.origins.of(context))
        else:
            async with self.parts.passwords.turn():
                response = await self._with_password(request, self.parts.origins.of(context))
        if response.token:  # there is none while the second step is to come
            await session_cookie.give(context, self.parts.settings, response.token)
        return response

    async def _with_password(self, request: pb.CreateSessionRequest, origin: Origin) -> pb.CreateSessionResponse:
        """Nobody learns from the answer or its time whether the account exists: all take the same steps."""
        with reading() as read:
            email = read.email("email", request.email)
            password = read.password("password", request.password, least=0)
            device, device_name = read_device(read, request, origin)
            if not request.email and not request.password:
                read.wrong("challenge_token", "needed with code, unless there are email and password")
        key = email_key(email)
        account, known, tries, taken = await sign_ins.get_account_and_insert_tries(
            self.parts.database,
            email_key=key,
            hashes=device.hashes,
            tries=sign_in_limits.password_tries(key, device),
        )
        await self.parts.throttle.refuse_unless_taken(taken, *tries)
        new_hash = None
        async with self.parts.throttle.taken(*tries):
            stored = account.password_hash if account else None
            matches = await self.parts.passwords.verify(password, stored)
            if matches and stored is not None and self.parts.passwords.needs_rehash(stored):
                new_hash = await self.parts.passwords.hash(password)
        if account is None or not matches or account.state != "ACTIVE":
            failure = audit.event(origin, Action.SIGN_IN_FAILED, account.user_id if account else None)
            await audit_events.insert_audit_event_alone(self.parts.database, new=failure)
            raise ServiceError(Reason.SIGN_IN_FAILED)
        if new_hash is not None:
            account = await self._rehashed(account, new_hash)
        if account.has_second_factor:
            return await self._challenge(account, device_name, tries)
        return await self._begin_at_once(account, origin, device.after_sign_in(known), device_name, tries)

    async def _with_code(self, request: pb.CreateSessionRequest, origin: Origin) -> pb.CreateSessionResponse:
        with reading() as read:
            challenge_token = read.token("challenge_token", request.challenge_token, most=one_time.MAX_TOKEN)
            code = read.token("code", request.code, most=MAX_CODE)
            device, device_name = read_device(read, request, origin)
            for path, value in (("challenge_token", request.challenge_token), ("code", request.code)):
                if not value:
                    read.wrong(path, "needed in the second step")
            for path, value in (("email", request.email), ("password", request.password)):
                if value:
                    read.wrong(path, "not together with challenge_token and code")
        token_hash = one_time.hash_of(challenge_token)
        async with self.parts.database.single_read() as tx:
            challenge = await challenges.get_challenge(tx, token_hash=token_hash, hashes=device.hashes)
        if challenge is None:
            raise ServiceError(Reason.CHALLENGE_INVALID)
        user_id = challenge.user_id
        tries = sign_in_limits.code_bucket(user_id, device, challenge.known)
        await self.parts.throttle.take(tries)
        async with self.parts.database.transaction() as tx:
            current = await users.lock_user(tx, user_id=user_id)
            if current is None or current.state != "ACTIVE" or not current.has_second_factor:
                raise ServiceError(Reason.CHALLENGE_INVALID)
            kind = await self.parts.second_factors.accept(tx, user_id, code)
            if kind is None:  # committed, although the call fails
                await audit.record(tx, origin, Action.CODE_WRONG, user_id)
            else:
                used = await one_time_tokens.delete_one_time_token(
                    tx, token_hash=token_hash, purposes=(challenges.PURPOSE,)
                )
                if used is None:  # by another call, or the account changed: the code stays good
                    raise ServiceError(Reason.CHALLENGE_INVALID)
                if kind == "recovery":
                    await audit.record(tx, origin, Action.RECOVERY_CODE_USED, user_id)
                device_name = device_name or challenge.device_name
                token, new = new_session(self.parts.settings, origin, user_id, BOTH_FACTORS, device_name=device_name)
                row = await sessions.insert_session(tx, new=new)
                device_token = await remember(tx, user_id, device, challenge.known)
                await self.parts.throttle.give_back(tx, tries)
        if kind is None:
            raise ServiceError(Reason.CODE_WRONG)
        return pb.CreateSessionResponse(token=token, session=to_proto.session(row), device_token=device_token)

    async def _rehashed(self, account: Account, new_hash: str) -> Account:
        async with self.parts.database.transaction() as tx:
            await users.update_password_hash(tx, user_id=account.user_id, old=account.password_hash, new=new_hash)
        return account._replace(password_hash=new_hash)

    async def _challenge(self, account: Account, device_name: str, tries: Sequence[Bucket]) -> pb.CreateSessionResponse:
        token = one_time.make_token()
        async with self.parts.database.transaction() as tx:
            refuse_if_changed(account, await users.lock_user(tx, user_id=account.user_id))
            expire_time = await one_time_tokens.insert_one_time_token(
                tx,
                token_id=uuid7(),
                purpose=challenges.PURPOSE,
                lifetime=CHALLENGE_LIFETIME,
                token_hash=one_time.hash_of(token),
                user_id=account.user_id,
                display_name=device_name,
            )
            await self.parts.throttle.give_back(tx, *tries)
        challenge = pb.SecondFactorChallenge(challenge_token=token, expire_time=timestamp(expire_time))
        return pb.CreateSessionResponse(challenge=challenge)

    async def _begin_at_once(
        self, account: Account, origin: Origin, device: Device, device_name: str, tries: Sequence[Bucket]
    ) -> pb.CreateSessionResponse:
        token, new = new_session(self.parts.settings, origin, account.user_id, ["pwd"], device_name=device_name)
        current, row = await sign_ins.lock_account_and_insert_session(
            self.parts.database, account=account, new=new, hashes=device.hashes, tries=tries
        )
        refuse_if_changed(account, current)
        assert row is not None
        return pb.CreateSessionResponse(token=token, session=to_proto.session(row), device_token=device.token)


def refuse_if_changed(account: Account, current: Account | Row | None) -> None:
    """While its password was verified."""
    if current is None or current.state != "ACTIVE":
        raise ServiceError(Reason.SIGN_IN_FAILED)
    if (current.password_hash, current.has_second_factor) != (account.password_hash, account.has_second_factor):
        raise ServiceError(Reason.CONFLICT)


def read_device(read: Fields, request: pb.CreateSessionRequest, origin: Origin) -> tuple[Device, str]:
    token = read.token("device_token", request.device_token, most=one_time.MAX_TOKEN)
    return Device(origin.source, token), read.name("device_name", request.device_name)
