"""identity.v1.UserService: reading accounts, changing and deleting them."""

from typing import Any

from identity_service import accounts, audit, authorize, publish, session_cookie, to_proto
from identity_service.audit import Action
from identity_service.parts import Handlers
from identity_service.queries import known_devices, users
from protos.identity.v1 import users_pb2 as pb
from shared.call import Context
from shared.caller import current_caller
from shared.database import Tx
from shared.errors import ServiceError
from shared.fields import Fields, reading
from shared.reasons import Reason

BY_PERSON = ("display_name",)
BY_SERVICE = (*BY_PERSON, "external_id", "public_metadata", "private_metadata")


class UserAccounts(Handlers):
    async def GetUser(self, request: pb.GetUserRequest, context: Context) -> pb.GetUserResponse:
        caller = current_caller()
        with reading() as read:
            named = read.optional_uuid("user_id", request.user_id)
        user_id = authorize.subject(caller, named)
        async with self.parts.database.single_read() as tx:
            row = await users.get_user(tx, user_id=user_id)
        if row is None or (caller.person is not None and row.state == "DELETED"):
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
        allowed = BY_PERSON if caller.person else BY_SERVICE
        with reading() as read:
            named = read.optional_uuid("user.user_id", request.user.user_id)
            etag = read.etag("user.etag", request.user.etag)
            paths = read.mask("update_mask", request.update_mask, request.user, allowed)
            changes = {path: changed_field(read, path, request.user) for path in sorted(paths)}
            request_id = read.optional_uuid("request_id", request.request_id)
        user_id = authorize.subject(caller, named, "user.user_id")

        async def update(tx: Tx) -> pb.UpdateUserResponse:
            accounts.check_etag(await accounts.lock(tx, caller, user_id), etag)
            row = await users.update_user(tx, user_id=user_id, changes=changes)
            await audit.record(tx, origin, Action.USER_UPDATED, user_id, fields=list(changes))
            await publish.user_changed(tx, "USER_UPDATED", [row])
            return pb.UpdateUserResponse(user=to_proto.user(row, caller))

        return await self.parts.request_results.answer_once(caller, request_id, request, pb.UpdateUserResponse, update)

    async def DeleteUser(self, request: pb.DeleteUserRequest, context: Context) -> pb.DeleteUserResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            named = read.optional_uuid("user_id", request.user_id)
            etag = read.etag("etag", request.etag)
            request_id = read.optional_uuid("request_id", request.request_id)
        user_id = authorize.subject(caller, named)

        async def delete(tx: Tx) -> pb.DeleteUserResponse:
            row = await accounts.lock(tx, caller, user_id)
            await authorize.recently(tx, caller, self.parts.settings.reauthentication)
            accounts.check_etag(row, etag)
            row = await users.update_user_deleted(tx, user_id=user_id, purge_after=self.parts.settings.purge_after)
            ended = await accounts.sign_out_everywhere(tx, user_id)
            await known_devices.delete_known_devices(tx, user_id=user_id)
            await audit.record(tx, origin, Action.USER_DELETED, user_id, ended_sessions=ended)
            await publish.user_changed(tx, "USER_DELETED", [row])
            return pb.DeleteUserResponse(user=to_proto.user(row, caller))

        response = await self.parts.request_results.answer_once(
            caller, request_id, request, pb.DeleteUserResponse, delete
        )
        if caller.is_user(user_id):
            await session_cookie.take_away(context, self.parts.settings)
        return response

    async def UndeleteUser(self, request: pb.UndeleteUserRequest, context: Context) -> pb.UndeleteUserResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            user_id = read.uuid("user_id", request.user_id)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def undelete(tx: Tx) -> pb.UndeleteUserResponse:
            row = await users.update_user_undeleted(tx, user_id=user_id)
            if row is None:
                raise ServiceError(Reason.USER_NOT_FOUND)
            await accounts.sign_out_everywhere(tx, user_id)  # of the sessions an Express app has made meanwhile
            await audit.record(tx, origin, Action.USER_UNDELETED, user_id)
            await publish.user_changed(tx, "USER_UNDELETED", [row])
            return pb.UndeleteUserResponse(user=to_proto.user(row, caller))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.UndeleteUserResponse, undelete
        )


def changed_field(read: Fields, path: str, user: pb.User) -> Any:
    """The new value of the one field, as its column takes it."""
    name = f"user.{path}"
    if path == "display_name":
        return read.name(name, user.display_name)
    if path == "external_id":
        return read.external_id(name, user.external_id)
    return read.metadata(name, getattr(user, path))
