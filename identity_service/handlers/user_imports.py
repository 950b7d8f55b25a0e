"""identity.v1.UserService: accounts from other systems."""

import asyncio
from collections.abc import Mapping
from typing import TypeAlias

from uuid_utils.compat import uuid7

from identity_service import audit, publish
from identity_service.audit import Action
from identity_service.foreign_hashes import read_hash
from identity_service.parts import Handlers
from identity_service.queries import user_imports
from protos.identity.v1 import user_imports_pb2
from protos.identity.v1 import users_pb2 as pb
from shared.call import Context
from shared.caller import current_caller
from shared.database import Tx
from shared.errors import ServiceError
from shared.fields import email_key, reading
from shared.reasons import Reason

NewUser: TypeAlias = Mapping[str, object]


class UserImports(Handlers):
    async def ImportUsers(self, request: pb.ImportUsersRequest, context: Context) -> pb.ImportUsersResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            read.batch("users", request.users)
            request_id = read.optional_uuid("request_id", request.request_id)
        users: list[NewUser | ServiceError] = []
        for user in request.users:
            users.append(read_user(user))
            await asyncio.sleep(0)  # a thousand at once would hold up everybody else's calls

        async def insert(tx: Tx) -> pb.ImportUsersResponse:
            good = [user for user in users if not isinstance(user, ServiceError)]
            rows = await user_imports.insert_users(tx, new=good)
            await audit.record_each(tx, origin, Action.USER_IMPORTED, [row.user_id for row in rows])
            await publish.user_changed(tx, "USER_CREATED", rows)
            inserted = {row.user_id for row in rows}
            refused = [str(user["email_key"]) for user in good if user["user_id"] not in inserted]
            taken = await user_imports.list_taken_email_keys(tx, email_keys=refused) if refused else set()

            def result(user: NewUser | ServiceError) -> user_imports_pb2.ImportResult:
                if isinstance(user, ServiceError):
                    return refusal(user)
                if user["user_id"] in inserted:
                    return user_imports_pb2.ImportResult(user_id=str(user["user_id"]))
                is_email = user["email_key"] in taken or user["external_id"] is None
                return refusal(ServiceError(Reason.EMAIL_TAKEN if is_email else Reason.EXTERNAL_ID_TAKEN))

            return pb.ImportUsersResponse(results=[result(user) for user in users])

        return await self.parts.request_results.answer_once(caller, request_id, request, pb.ImportUsersResponse, insert)


def read_user(user: user_imports_pb2.ImportedUser) -> NewUser | ServiceError:
    """What to insert, or what is wrong with it."""
    try:
        with reading() as read:
            email = read.email("email", user.email)
            new: NewUser = {
                "user_id": uuid7(),
                "email": email,
                "email_key": email_key(email),
                "display_name": read.name("display_name", user.display_name),
                "external_id": read.external_id("external_id", user.external_id),
                "password_hash": user.password_hash or None,
                "is_verified": user.email_verified,
                "public_metadata": read.metadata("public_metadata", user.public_metadata),
                "private_metadata": read.metadata("private_metadata", user.private_metadata),
            }
            if user.password_hash and read_hash(user.password_hash) is None:
                read.wrong("password_hash", "not a hash of a kind and cost that is taken")
    except ServiceError as wrong:
        return wrong
    return new


def refusal(error: ServiceError) -> user_imports_pb2.ImportResult:
    refused = user_imports_pb2.ImportRefusal(reason=error.reason.name, message=error.message)
    return user_imports_pb2.ImportResult(refusal=refused)
