"""identity.v1.SessionService."""

from identity_service import authorize, to_proto, tokens
from identity_service.passwords import Passwords
from identity_service.peer import ip_address, user_agent
from identity_service.queries import sessions, users
from identity_service.settings import Settings
from identity_service.validation import Validation
from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceServicer
from shared.caller import current_caller
from shared.database import Database, Row
from shared.errors import ServiceError
from shared.fields import email_key, reading
from shared.interceptors import Context
from shared.pages import Pages
from shared.reasons import Reason


class Sessions(SessionServiceServicer):
    def __init__(self, database: Database, validation: Validation, passwords: Passwords, settings: Settings) -> None:
        self._database, self._validation, self._passwords = database, validation, passwords
        self._idle = settings.idle
        self._absolute = settings.absolute
        self._signing_secret = settings.secret_bytes[0]

    async def CreateSession(self, request: pb.CreateSessionRequest, context: Context) -> pb.CreateSessionResponse:
        with reading() as read:
            email = read.email("email", request.email)
            password = read.password("password", request.password, least=0)
        user = await self._user_with(email, password)
        new_hash = None
        if self._passwords.needs_rehash(user.password_hash):
            new_hash = await self._passwords.hash(password)
        sid = tokens.make_sid()
        async with self._database.transaction() as tx:
            current = await users.lock_user(tx, user_id=user.user_id)
            if current is None or current.state != "ACTIVE":
                raise ServiceError(Reason.SIGN_IN_FAILED)
            if current.password_hash != user.password_hash:  # changed while we verified the old one
                raise ServiceError(Reason.CONFLICT)
            if new_hash is not None:
                await users.update_password_hash(tx, user_id=user.user_id, password_hash=new_hash)
            row = await sessions.insert_session(
                tx,
                sid=sid,
                user_id=user.user_id,
                idle=self._idle,
                absolute=self._absolute,
                ip=ip_address(context.peer()),
                user_agent=user_agent(context.invocation_metadata()),
            )
        return pb.CreateSessionResponse(token=tokens.sign(sid, self._signing_secret), session=to_proto.session(row))

    async def _user_with(self, email: str, password: str) -> Row:
        """Nobody learns from the answer or its time whether the account exists."""
        async with self._database.single_read() as tx:
            user = await users.get_user_by_email(tx, email_key=email_key(email))
        matches = await self._passwords.verify(password, user.password_hash if user else None)
        if user is None or not matches or user.state != "ACTIVE":
            raise ServiceError(Reason.SIGN_IN_FAILED)
        return user

    async def ValidateSession(self, request: pb.ValidateSessionRequest, context: Context) -> pb.ValidateSessionResponse:
        session = await self._validation.session(request.token)
        return pb.ValidateSessionResponse(session=to_proto.session(session))

    async def BatchValidateSessions(
        self, request: pb.BatchValidateSessionsRequest, context: Context
    ) -> pb.BatchValidateSessionsResponse:
        with reading() as read:
            read.batch("tokens", request.tokens)
        answers = await self._validation.sessions(request.tokens)
        return pb.BatchValidateSessionsResponse(results=map(to_proto.session_result, answers))

    async def GetSession(self, request: pb.GetSessionRequest, context: Context) -> pb.GetSessionResponse:
        person = current_caller().signed_in
        with reading() as read:
            named = read.optional_uuid("session_id", request.session_id)
        async with self._database.single_read() as tx:
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
        async with self._database.single_read() as tx:
            rows = await sessions.list_sessions(tx, user_id=user_id, before=before, limit=size + 1)
        last = rows[size - 1] if len(rows) > size else None
        return pb.ListSessionsResponse(
            sessions=map(to_proto.session, rows[:size]),
            next_page_token=pages.token(last.created_at, last.session_id) if last else "",
        )

    async def RevokeSession(self, request: pb.RevokeSessionRequest, context: Context) -> pb.RevokeSessionResponse:
        caller = current_caller()
        with reading() as read:
            named_session = read.optional_uuid("session_id", request.session_id)
            named_user = read.optional_uuid("user_id", request.user_id)
            if named_session is None and (named_user is not None or caller.person is None):
                read.wrong("session_id", "needed with user_id")
        user_id = authorize.subject(caller, named_user)
        session_id = named_session or caller.signed_in.session_id
        async with self._database.transaction() as tx:
            await sessions.delete_session(tx, user_id=user_id, session_id=session_id)
        return pb.RevokeSessionResponse()

    async def RevokeOtherSessions(
        self, request: pb.RevokeOtherSessionsRequest, context: Context
    ) -> pb.RevokeOtherSessionsResponse:
        person = current_caller().signed_in
        async with self._database.transaction() as tx:
            count = await sessions.delete_sessions(tx, user_id=person.user_id, all_but=person.session_id)
        return pb.RevokeOtherSessionsResponse(revoked_count=count)

    async def RevokeUserSessions(
        self, request: pb.RevokeUserSessionsRequest, context: Context
    ) -> pb.RevokeUserSessionsResponse:
        with reading() as read:
            user_id = read.uuid("user_id", request.user_id)
        async with self._database.transaction() as tx:
            count = await sessions.delete_sessions(tx, user_id=user_id)
        return pb.RevokeUserSessionsResponse(revoked_count=count)
