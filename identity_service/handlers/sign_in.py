"""identity.v1.SessionService: signing in, and proving again who one is."""

from identity_service import to_proto
from identity_service.begin_session import begin_session
from identity_service.parts import Handlers
from identity_service.queries import users
from protos.identity.v1 import sessions_pb2 as pb
from shared.database import Row
from shared.errors import ServiceError
from shared.fields import email_key, reading
from shared.interceptors import Context
from shared.reasons import Reason


class SignIn(Handlers):
    async def CreateSession(self, request: pb.CreateSessionRequest, context: Context) -> pb.CreateSessionResponse:
        origin = self.parts.origins.of(context)
        with reading() as read:
            email = read.email("email", request.email)
            password = read.password("password", request.password, least=0)
            device_name = read.name("device_name", request.device_name)
        user = await self._user_with(email, password)
        new_hash = None
        if self.parts.passwords.needs_rehash(user.password_hash):
            new_hash = await self.parts.passwords.hash(password)
        async with self.parts.database.transaction() as tx:
            current = await users.lock_user(tx, user_id=user.user_id)
            if current is None or current.state != "ACTIVE":
                raise ServiceError(Reason.SIGN_IN_FAILED)
            if current.password_hash != user.password_hash:  # changed while we verified the old one
                raise ServiceError(Reason.CONFLICT)
            if new_hash is not None:
                await users.update_password_hash(tx, user_id=user.user_id, password_hash=new_hash)
            token, row = await begin_session(
                tx, self.parts.settings, origin, user.user_id, ["pwd"], device_name=device_name
            )
        return pb.CreateSessionResponse(token=token, session=to_proto.session(row))

    async def _user_with(self, email: str, password: str) -> Row:
        """Nobody learns from the answer or its time whether the account exists."""
        async with self.parts.database.single_read() as tx:
            user = await users.get_user_by_email(tx, email_key=email_key(email))
        matches = await self.parts.passwords.verify(password, user.password_hash if user else None)
        if user is None or not matches or user.state != "ACTIVE":
            raise ServiceError(Reason.SIGN_IN_FAILED)
        return user

    async def RefreshSession(self, request: pb.RefreshSessionRequest, context: Context) -> pb.RefreshSessionResponse:
        raise NotImplementedError
