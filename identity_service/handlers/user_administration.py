"""identity.v1.UserService: what services do with accounts."""

from uuid_utils.compat import uuid7

from identity_service import accounts, audit, publish, to_proto
from identity_service.audit import Action
from identity_service.parts import Handlers
from identity_service.queries import users
from protos.identity.v1 import users_pb2 as pb
from shared import filters
from shared.call import Context
from shared.caller import current_caller
from shared.database import Tx
from shared.errors import ServiceError
from shared.fields import email_key, reading
from shared.pages import Pages, that_fit
from shared.reasons import Reason


class UserAdministration(Handlers):
    async def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.CreateUserResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            email = read.email("email", request.email)
            display_name = read.name("display_name", request.display_name)
            external_id = read.external_id("external_id", request.external_id)
            public_metadata = read.metadata("public_metadata", request.public_metadata)
            private_metadata = read.metadata("private_metadata", request.private_metadata)
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
                "external_id": external_id,
                "public_metadata": public_metadata,
                "private_metadata": private_metadata,
            }
            row = await users.insert_user(tx, new=new, is_verified=request.email_verified)
            await audit.record(tx, origin, Action.USER_CREATED, row.user_id)
            await publish.user_changed(tx, "USER_CREATED", [row])
            return pb.CreateUserResponse(user=to_proto.user(row, caller))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.CreateUserResponse, insert, secret_fields=("password",)
        )

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        caller = current_caller()
        with reading() as read:
            size = read.page_size("page_size", request.page_size)
            condition = filters.read(read, "filter", request.filter, users.FILTERS)
        pages = Pages(caller, "ListUsers", request.filter, request.show_deleted)
        after = pages.last_time_and_id(request.page_token)
        async with self.parts.database.transaction() as tx:
            rows = await users.list_users(
                tx, condition=condition, show_deleted=request.show_deleted, after=after, limit=size + 1
            )
        shown = that_fit(to_proto.user(row, caller) for row in rows[:size])
        last = rows[len(shown) - 1] if len(rows) > len(shown) else None
        return pb.ListUsersResponse(
            users=shown, next_page_token=pages.token(last.create_time, last.user_id) if last else ""
        )

    async def LookUpUser(self, request: pb.LookUpUserRequest, context: Context) -> pb.LookUpUserResponse:
        caller = current_caller()
        with reading() as read:
            email = read.email("email", request.email) if request.HasField("email") else None
            external_id = read.external_id("external_id", request.external_id)
            if email is None and external_id is None:
                read.wrong("key", "an email or an external_id is needed")
        async with self.parts.database.single_read() as tx:
            if email is not None:
                row = await users.get_user_by_email(tx, email_key=email_key(email))
            else:
                row = await users.get_user_by_external_id(tx, external_id=request.external_id)
        if row is None:
            raise ServiceError(Reason.USER_NOT_FOUND)
        return pb.LookUpUserResponse(user=to_proto.user(row, caller))

    async def SuspendUser(self, request: pb.SuspendUserRequest, context: Context) -> pb.SuspendUserResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            user_id = read.uuid("user_id", request.user_id)
            etag = read.etag("etag", request.etag)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def suspend(tx: Tx) -> pb.SuspendUserResponse:
            row = await accounts.lock(tx, caller, user_id)
            accounts.check_etag(row, etag)
            if row.state != "SUSPENDED":
                row = await users.update_user_suspended(tx, user_id=user_id)
                ended = await accounts.sign_out_everywhere(tx, user_id)
                await audit.record(tx, origin, Action.USER_SUSPENDED, user_id, ended_sessions=ended)
                await publish.user_changed(tx, "USER_SUSPENDED", [row])
            return pb.SuspendUserResponse(user=to_proto.user(row, caller))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.SuspendUserResponse, suspend
        )

    async def ReactivateUser(self, request: pb.ReactivateUserRequest, context: Context) -> pb.ReactivateUserResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            user_id = read.uuid("user_id", request.user_id)
            etag = read.etag("etag", request.etag)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def reactivate(tx: Tx) -> pb.ReactivateUserResponse:
            row = await accounts.lock(tx, caller, user_id)
            accounts.check_etag(row, etag)
            if row.state != "ACTIVE":
                row = await users.update_user_reactivated(tx, user_id=user_id)
                await accounts.sign_out_everywhere(tx, user_id)  # of the sessions an Express app has made meanwhile
                await audit.record(tx, origin, Action.USER_REACTIVATED, user_id)
                await publish.user_changed(tx, "USER_REACTIVATED", [row])
            return pb.ReactivateUserResponse(user=to_proto.user(row, caller))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.ReactivateUserResponse, reactivate
        )
