"""identity.v1.UserService."""

from uuid_utils.compat import uuid7

from identity_service import authorize, to_proto
from identity_service.passwords import Passwords
from identity_service.queries import sessions, users
from identity_service.settings import Settings
from protos.identity.v1 import users_pb2 as pb
from protos.identity.v1.users_pb2_grpc import UserServiceServicer
from shared.caller import current_caller
from shared.database import Database, Tx
from shared.errors import ServiceError
from shared.fields import email_key, reading
from shared.interceptors import Context
from shared.reasons import Reason
from shared.request_results import RequestResults


class Users(UserServiceServicer):
    def __init__(
        self, database: Database, request_results: RequestResults, passwords: Passwords, settings: Settings
    ) -> None:
        self._database, self._request_results = database, request_results
        self._passwords, self._settings = passwords, settings

    async def SignUp(self, request: pb.SignUpRequest, context: Context) -> pb.SignUpResponse:
        if not self._settings.sign_up:
            raise ServiceError(Reason.SIGN_UP_CLOSED)
        with reading() as read:
            email = read.email("email", request.email)
            password = read.password("password", request.password, least=self._settings.password_minimum)
            display_name = read.name("display_name", request.display_name)
            request_id = read.optional_uuid("request_id", request.request_id)
        password_hash = await self._passwords.hash(password)

        async def insert(tx: Tx) -> pb.SignUpResponse:
            row = await users.insert_user(
                tx,
                user_id=uuid7(),
                email=email,
                email_key=email_key(email),
                password_hash=password_hash,
                display_name=display_name,
            )
            return pb.SignUpResponse(user=to_proto.user(row))

        return await self._request_results.answer_once(
            current_caller(), request_id, request, pb.SignUpResponse, insert, secret_fields=("password",)
        )

    async def GetUser(self, request: pb.GetUserRequest, context: Context) -> pb.GetUserResponse:
        caller = current_caller()
        with reading() as read:
            named = read.optional_uuid("user_id", request.user_id)
        user_id = authorize.subject(caller, named)
        async with self._database.single_read() as tx:
            row = await users.get_user(tx, user_id=user_id)
        if row is None:
            raise authorize.absent(caller)
        return pb.GetUserResponse(user=to_proto.user(row))

    async def UpdateUser(self, request: pb.UpdateUserRequest, context: Context) -> pb.UpdateUserResponse:
        caller = current_caller()
        with reading() as read:
            named = read.optional_uuid("user.user_id", request.user.user_id)
            read.mask("update_mask", request.update_mask, request.user, ("display_name",))
            display_name = read.name("user.display_name", request.user.display_name)
        user_id = authorize.subject(caller, named, "user.user_id")
        async with self._database.transaction() as tx:
            row = await users.lock_user(tx, user_id=user_id)
            if row is None:
                raise authorize.absent(caller)
            if request.user.etag and request.user.etag != to_proto.etag(row):
                raise ServiceError(Reason.ETAG_MISMATCH)
            row = await users.update_user(tx, user_id=user_id, display_name=display_name)
        return pb.UpdateUserResponse(user=to_proto.user(row))

    async def BatchGetUsers(self, request: pb.BatchGetUsersRequest, context: Context) -> pb.BatchGetUsersResponse:
        with reading() as read:
            user_ids = read.uuids("user_ids", request.user_ids)
        async with self._database.single_read() as tx:
            rows = await users.list_users(tx, user_ids=user_ids)
        found = {row.user_id: row for row in rows}
        return pb.BatchGetUsersResponse(
            users=[to_proto.user(found[user_id]) for user_id in user_ids if user_id in found]
        )

    async def DeleteUser(self, request: pb.DeleteUserRequest, context: Context) -> pb.DeleteUserResponse:
        caller = current_caller()
        with reading() as read:
            named = read.optional_uuid("user_id", request.user_id)
        user_id = authorize.subject(caller, named)
        async with self._database.transaction() as tx:
            # Locked before the sessions go: a sign-in under way has ended by then, or finds nobody.
            row = await users.lock_user(tx, user_id=user_id)
            if row is None:
                raise authorize.absent(caller)
            if request.etag and request.etag != to_proto.etag(row):
                raise ServiceError(Reason.ETAG_MISMATCH)
            await sessions.delete_sessions(tx, user_id=user_id)
            await users.delete_user(tx, user_id=user_id)
        return pb.DeleteUserResponse()
