"""identity.v1.SessionService: proving again who one is."""

from identity_service import audit, publish, session_cookie, sign_in_limits, to_proto
from identity_service.audit import Action
from identity_service.begin_session import new_session, session_to_replace
from identity_service.parts import Handlers
from identity_service.queries import sessions, users
from identity_service.second_factor import BOTH_FACTORS, MAX_CODE
from protos.identity.v1 import sessions_pb2 as pb
from shared.call import Context
from shared.caller import current_caller
from shared.errors import ServiceError
from shared.fields import reading
from shared.reasons import Reason


class Reauthentication(Handlers):
    async def RefreshSession(self, request: pb.RefreshSessionRequest, context: Context) -> pb.RefreshSessionResponse:
        person, origin = current_caller().signed_in, self.parts.origins.of(context)
        user_id, session_id = person.user_id, person.session_id
        async with self.parts.database.single_read() as tx:
            user = await users.get_user(tx, user_id=user_id)
        if user is None:
            raise ServiceError(Reason.SESSION_INVALID)
        with reading() as read:
            password = read.password("password", request.password, least=0)
            code = read.token("code", request.code, most=MAX_CODE)
            if user.has_second_factor and not request.code:
                read.wrong("code", "needed, as the account has a second factor")
        password_tries, code_tries = sign_in_limits.session_buckets(session_id)
        async with self.parts.throttle.guess(password_tries):
            matches = await self.parts.passwords.verify(password, user.password_hash)
        if not matches:
            async with self.parts.database.transaction() as tx:
                await audit.record(tx, origin, Action.PASSWORD_WRONG, user_id)
            raise ServiceError(Reason.PASSWORD_WRONG)
        if user.has_second_factor:
            await self.parts.throttle.take(code_tries)
        async with self.parts.database.transaction() as tx:
            old = await session_to_replace(tx, person, user)
            kind = await self.parts.second_factors.accept(tx, user_id, code) if user.has_second_factor else "none"
            if kind is None:  # committed, although the call fails
                await audit.record(tx, origin, Action.CODE_WRONG, user_id)
            else:
                if kind == "recovery":
                    await audit.record(tx, origin, Action.RECOVERY_CODE_USED, user_id)
                # Revoking takes no lock on the user: it may happen at this very moment.
                if not await sessions.delete_session(tx, user_id=user_id, session_id=session_id):
                    raise ServiceError(Reason.SESSION_INVALID)
                await publish.sessions_changed(tx, "SESSION_ENDED", user_id, [session_id])
                token, new = new_session(
                    self.parts.settings,
                    origin,
                    user_id,
                    BOTH_FACTORS if user.has_second_factor else ["pwd"],
                    action=Action.SESSION_REFRESHED,
                    device_name=old.device_name or "",
                )
                row = await sessions.insert_session(tx, new=new)
        if kind is None:
            raise ServiceError(Reason.CODE_WRONG)
        await session_cookie.give(context, self.parts.settings, token)
        return pb.RefreshSessionResponse(token=token, session=to_proto.session(row))
