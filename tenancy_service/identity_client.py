"""Ask identity whose sessions these are, and who its users are. The only place in tenancy that does.

Identity down, slow or refusing our key: UNAVAILABLE, never a yes and never a "permission denied".
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import grpc

from protos.identity.v1.sessions_pb2 import BatchValidateSessionsRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import USER_STATE_DELETED, BatchGetUsersRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.caller import Person
from shared.channel import connect
from shared.errors import ServiceError
from shared.log import log
from shared.reasons import Reason

READS = ("identity.v1.SessionService/BatchValidateSessions", "identity.v1.UserService/BatchGetUsers")


class User(NamedTuple):
    """What tenancy needs to know of one: never stored, but for finding members by name."""

    user_id: UUID
    email: str
    display_name: str
    has_verified_email: bool


class IdentityClient:
    def __init__(self, address: str, service_key: str, timeout: float) -> None:
        self._channel = connect(address, READS)
        self._sessions = SessionServiceStub(self._channel)
        self._users = UserServiceStub(self._channel)
        self._metadata = (("x-service-key", service_key),)
        self._timeout = timeout

    async def close(self) -> None:
        await self._channel.close()

    async def people(self, tokens: Sequence[str]) -> list[Person | ServiceError]:
        """Whose sessions the tokens are now, in order; SESSION_INVALID for each that is not valid."""
        request = BatchValidateSessionsRequest(tokens=tokens)
        try:
            response = await self._sessions.BatchValidateSessions(
                request, timeout=self._timeout, metadata=self._metadata
            )
        except grpc.aio.AioRpcError as error:
            raise _unavailable(error) from None
        return [
            Person(UUID(result.session.user_id), UUID(result.session.session_id))
            if result.HasField("session")
            else ServiceError(Reason.SESSION_INVALID)
            for result in response.results
        ]

    async def users(self, user_ids: Sequence[UUID]) -> dict[UUID, User]:
        """Those that exist and are not deleted, at this moment; at most 1,000."""
        if not user_ids:
            return {}
        request = BatchGetUsersRequest(user_ids=[str(user_id) for user_id in user_ids])
        try:
            response = await self._users.BatchGetUsers(request, timeout=self._timeout, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise _unavailable(error) from None
        found = {UUID(user.user_id): user for user in response.users if user.state != USER_STATE_DELETED}
        return {
            user_id: User(user_id, user.email, user.display_name, user.HasField("email_verified_time"))
            for user_id, user in found.items()
        }


def _unavailable(error: grpc.aio.AioRpcError) -> ServiceError:
    log.warning("identity did not answer", code=error.code().name, details=error.details())
    return ServiceError(Reason.IDENTITY_UNAVAILABLE)
