"""Ask identity whose sessions these are, and whether a user exists. The only place in tenancy that does.

Identity down, slow or refusing our key: UNAVAILABLE, never a yes and never a "permission denied".
"""

from collections.abc import Sequence
from uuid import UUID

import grpc

from protos.identity.v1.sessions_pb2 import BatchValidateSessionsRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import BatchGetUsersRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.caller import Person
from shared.channel import connect
from shared.errors import ServiceError
from shared.log import log
from shared.reasons import Reason

READS = ("identity.v1.SessionService/BatchValidateSessions", "identity.v1.UserService/BatchGetUsers")


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

    async def user_exists(self, user_id: UUID) -> bool:
        request = BatchGetUsersRequest(user_ids=[str(user_id)])
        try:
            response = await self._users.BatchGetUsers(request, timeout=self._timeout, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise _unavailable(error) from None
        return len(response.users) == 1


def _unavailable(error: grpc.aio.AioRpcError) -> ServiceError:
    log.warning("identity did not answer", code=error.code().name, details=error.details())
    return ServiceError(Reason.IDENTITY_UNAVAILABLE)
