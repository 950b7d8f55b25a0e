"""identity.v1.UserService: what services do with accounts."""

from uuid_utils.compat import uuid7

from identity_service import audit, publish, to_proto
from identity_service.audit import Action
from identity_service.parts import Handlers
from identity_service.queries import users
from protos.identity.v1 import users_pb2 as pb
from shared.caller import current_caller
from shared.database import Tx
from shared.fields import email_key, reading
from shared.interceptors import Context


class UserAdministration(Handlers):
    async def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.CreateUserResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            email = read.email("email", request.email)
            display_name = read.name("display_name", request.display_name)
            password = None
            if request.password:
                about = (email, display_name)
                password = self.parts.password_rules.read(read, "password", request.password, about=about).text
            request_id = read.optional_uuid("request_id", request.request_id)
        password_hash = await self.parts.passwords.hash(password) if password else None

        async def insert(tx: Tx) -> pb.CreateUserResponse:
            new = {
                "user_id": uuid7(),
                "email": email,
                "email_key": email_key(email),
                "password_hash": password_hash,
                "display_name": display_name,
            }
            row = await users.insert_user(tx, new=new)
            await audit.record(tx, origin, Action.USER_CREATED, row.user_id)
            await publish.user_changed(tx, "USER_CREATED", [row])
            return pb.CreateUserResponse(user=to_proto.user(row, caller))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.CreateUserResponse, insert, secret_fields=("password",)
        )

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        raise NotImplementedError

    async def LookUpUser(self, request: pb.LookUpUserRequest, context: Context) -> pb.LookUpUserResponse:
        raise NotImplementedError

    async def SuspendUser(self, request: pb.SuspendUserRequest, context: Context) -> pb.SuspendUserResponse:
        raise NotImplementedError

    async def ReactivateUser(self, request: pb.ReactivateUserRequest, context: Context) -> pb.ReactivateUserResponse:
        raise NotImplementedError
