"""identity.v1.SessionService: asking about sessions, listing and ending them."""

from identity_service import audit, authorize, publish, session_cookie, to_proto
from identity_service.audit import Action
from identity_service.parts import Handlers
from identity_service.queries import sessions
from protos.identity.v1 import sessions_pb2 as pb
from shared.call import Context
from shared.caller import current_caller
from shared.database import Tx
from shared.errors import ServiceError
from shared.fields import reading
from shared.pages import Pages
from shared.reasons import Reason


class SessionList(Handlers):
    async def ValidateSession(self, request: pb.ValidateSessionRequest, context: Context) -> pb.ValidateSessionResponse:
        session = await self.parts.validation.session(request.token)
        return pb.ValidateSessionResponse(session=to_proto.session(session))

    async def BatchValidateSessions(
        self, request: pb.BatchValidateSessionsRequest, context: Context
    ) -> pb.BatchValidateSessionsResponse:
        with reading() as read:
            read.batch("tokens", request.tokens)
            view = read.enum("view", request.view, pb.SessionView.items())
        if view == "SESSION_VIEW_BASIC":
            return to_proto.owner_results(await self.parts.validation.owners(request.tokens))
        sessions = await self.parts.validation.sessions(request.tokens)
        return pb.BatchValidateSessionsResponse(results=map(to_proto.session_result, sessions))

    async def GetSession(self, request: pb.GetSessionRequest, context: Context) -> pb.GetSessionResponse:
        person = current_caller().signed_in
        with reading() as read:
            named = read.optional_uuid("session_id", request.session_id)
        async with self.parts.database.single_read() as tx:
            row = await sessions.get_session(tx, user_id=person.user_id, session_id=named or person.session_id)
        if row is None:
            raise ServiceError(Reason.SESSION_NOT_FOUND)
        return pb.GetSessionResponse(session=to_proto.session(row))

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsResponse:
        caller = current_caller()
        with reading() as read:
            size = read.page_size("page_size", request.page_size)
            named = read.optional_uuid("user_id", request.user_id)
        user_id = authorize.subject(caller, named)
        pages = Pages(caller, "ListSessions", user_id)
        before = pages.last_time_and_id(request.page_token)
        async with self.parts.database.single_read() as tx:
            rows = await sessions.list_sessions(tx, user_id=user_id, before=before, limit=size + 1)
        last = rows[size - 1] if len(rows) > size else None
        return pb.ListSessionsResponse(
            sessions=map(to_proto.session, rows[:size]),
            next_page_token=pages.token(last.created_at, last.session_id) if last else "",
        )

    async def RevokeSession(self, request: pb.RevokeSessionRequest, context: Context) -> pb.RevokeSessionResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            named_session = read.optional_uuid("session_id", request.session_id)
            named_user = read.optional_uuid("user_id", request.user_id)
            request_id = read.optional_uuid("request_id", request.request_id)
            if named_session is None and (named_user is not None or caller.person is None):
                read.wrong("session_id", "needed with user_id")
        user_id = authorize.subject(caller, named_user)
        session_id = named_session or caller.signed_in.session_id

        async def revoke(tx: Tx) -> pb.RevokeSessionResponse:
            if await sessions.delete_session(tx, user_id=user_id, session_id=session_id):
                await audit.record(tx, origin, Action.SESSION_REVOKED, user_id, session_id=session_id)
                await publish.sessions_changed(tx, "SESSION_ENDED", user_id, [session_id])
            return pb.RevokeSessionResponse()

        response = await self.parts.request_results.answer_once(
            caller, request_id, request, pb.RevokeSessionResponse, revoke
        )
        if caller.person is not None and session_id == caller.person.session_id:
            await session_cookie.take_away(context, self.parts.settings)
        return response

    async def RevokeOtherSessions(
        self, request: pb.RevokeOtherSessionsRequest, context: Context
    ) -> pb.RevokeOtherSessionsResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        person = caller.signed_in
        with reading() as read:
            request_id = read.optional_uuid("request_id", request.request_id)

        async def revoke(tx: Tx) -> pb.RevokeOtherSessionsResponse:
            ended = await sessions.delete_sessions(tx, user_id=person.user_id, all_but=person.session_id)
            if ended:
                await audit.record(tx, origin, Action.SESSIONS_REVOKED, person.user_id, count=len(ended))
                await publish.sessions_changed(tx, "SESSION_ENDED", person.user_id, ended)
            return pb.RevokeOtherSessionsResponse(revoked_count=len(ended))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.RevokeOtherSessionsResponse, revoke
        )

    async def RevokeUserSessions(
        self, request: pb.RevokeUserSessionsRequest, context: Context
    ) -> pb.RevokeUserSessionsResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            user_id = read.uuid("user_id", request.user_id)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def revoke(tx: Tx) -> pb.RevokeUserSessionsResponse:
            ended = await sessions.delete_sessions(tx, user_id=user_id)
            if ended:
                await audit.record(tx, origin, Action.SESSIONS_REVOKED, user_id, count=len(ended))
                await publish.sessions_changed(tx, "SESSION_ENDED", user_id, ended)
            return pb.RevokeUserSessionsResponse(revoked_count=len(ended))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.RevokeUserSessionsResponse, revoke
        )
