"""identity.v1.UserService: reading accounts, changing and deleting them."""

from identity_service import audit, authorize, publish, to_proto
from identity_service.audit import Action
from identity_service.parts import Handlers
from identity_service.queries import users
from protos.identity.v1 import users_pb2 as pb
from shared.caller import current_caller
from shared.errors import ServiceError
from shared.fields import reading
from shared.interceptors import Context
from shared.reasons import Reason


class UserAccounts(Handlers):
    async def GetUser(self, request: pb.GetUserRequest, context: Context) -> pb.GetUserResponse:
        caller = current_caller()
        with reading() as read:
            named = read.optional_uuid("user_id", request.user_id)
        user_id = authorize.subject(caller, named)
        async with self.parts.database.single_read() as tx:
            row = await users.get_user(tx, user_id=user_id)
        if row is None:
            raise authorize.absent(caller)
        return pb.GetUserResponse(user=to_proto.user(row, caller))

    async def BatchGetUsers(self, request: pb.BatchGetUsersRequest, context: Context) -> pb.BatchGetUsersResponse:
        caller = current_caller()
        with reading() as read:
            user_ids = read.uuids("user_ids", request.user_ids)
        async with self.parts.database.single_read() as tx:
            rows = await users.list_users_by_id(tx, user_ids=user_ids)
        found = {row.user_id: row for row in rows}
        return pb.BatchGetUsersResponse(
            users=[to_proto.user(found[user_id], caller) for user_id in user_ids if user_id in found]
        )

    async def UpdateUser(self, request: pb.UpdateUserRequest, context: Context) -> pb.UpdateUserResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            named = read.optional_uuid("user.user_id", request.user.user_id)
            paths = read.mask("update_mask", request.update_mask, request.user, ("display_name",))
            display_name = read.name("user.display_name", request.user.display_name)
        user_id = authorize.subject(caller, named, "user.user_id")
        async with self.parts.database.transaction() as tx:
            row = await users.lock_user(tx, user_id=user_id)
            if row is None:
                raise authorize.absent(caller)
            if request.user.etag and request.user.etag != to_proto.etag(row):
                raise ServiceError(Reason.ETAG_MISMATCH)
            row = await users.update_user(tx, user_id=user_id, changes={"display_name": display_name})
            await audit.record(tx, origin, Action.USER_UPDATED, user_id, fields=sorted(paths))
            await publish.user_changed(tx, "USER_UPDATED", [row])
        return pb.UpdateUserResponse(user=to_proto.user(row, caller))

    async def DeleteUser(self, request: pb.DeleteUserRequest, context: Context) -> pb.DeleteUserResponse:
        raise NotImplementedError

    async def UndeleteUser(self, request: pb.UndeleteUserRequest, context: Context) -> pb.UndeleteUserResponse:
        raise NotImplementedError
