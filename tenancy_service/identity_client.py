"""Ask identity whose sessions these are, and who its users are. The only place in tenancy that does.

Identity down, slow or refusing our key: UNAVAILABLE, never a yes and never a "permission denied".
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from protos.identity.v1 import users_pb2 as pb
from protos.identity.v1.events_pb2 import Event, EventType, StreamEventsRequest, StreamEventsResponse
from protos.identity.v1.events_pb2_grpc import EventServiceStub
from protos.identity.v1.sessions_pb2 import SESSION_VIEW_BASIC, BatchValidateSessionsRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import USER_STATE_DELETED, BatchGetUsersRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.channel import connect
from shared.errors import ServiceError
from shared.log import log
from shared.reasons import Reason
from tenancy_service.metrics import IDENTITY_SECONDS

READS = ("identity.v1.SessionService/BatchValidateSessions", "identity.v1.UserService/BatchGetUsers")


# Whose it is, and its own public id; as text, and without names for the two, which is all that a check needs.
Session = tuple[str, str]


class User(NamedTuple):
    """What tenancy needs to know of one: never stored, but for finding members by name."""

    user_id: UUID
    email: str
    display_name: str
    has_verified_email: bool


class Told(NamedTuple):
    """What identity tells about a user: an event, an account of a snapshot, a heartbeat, or the answer to a check.

    `type` is of identity.v1.EventType without its prefix, SNAPSHOT_USER or HEARTBEAT; `name` is email and
    display name, where the account was told. A message of the stream has a `cursor`, the answer to a check its
    `check_id`.
    """

    type: str
    user_id: str
    name: tuple[str, str] | None
    event_id: str
    message: Message
    cursor: str | None = None
    check_id: int | None = None


class StreamEndedError(Exception):
    """The stream ended otherwise than by itself; `reason` is identity's, where it gave one."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        info = ErrorInfo()
        found = next((detail for detail in (status.details if status else ()) if detail.Unpack(info)), None)
        self.reason = info.reason if found else None
        super().__init__(f"{error.code().name} {self.reason or error.details()}")


class EventStream:
    def __init__(self, call: Any) -> None:
        self._call = call

    async def read(self) -> Told | None:
        """The next message; None when the stream is over, StreamEndedError when it broke off."""
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise StreamEndedError(error) from None
        return None if message is grpc.aio.EOF else told(message)

    def cancel(self) -> None:
        self._call.cancel()


class IdentityClient:
    def __init__(self, address: str, service_key: str, timeout: float) -> None:
        self._channel = connect(address, READS)
        self._sessions = SessionServiceStub(self._channel)
        self._users = UserServiceStub(self._channel)
        self._events = EventServiceStub(self._channel)
        self._metadata = (("x-service-key", service_key),)
        self._timeout = timeout

    async def close(self) -> None:
        await self._channel.close()

    async def sessions(self, tokens: Sequence[str]) -> list[Session | ServiceError]:
        """Whose sessions the tokens are now, in order; SESSION_INVALID for each that is not valid."""
        request = BatchValidateSessionsRequest(tokens=tokens, view=SESSION_VIEW_BASIC)
        response = await self._answer("BatchValidateSessions", self._sessions.BatchValidateSessions, request)
        sessions = [result.session for result in response.results]
        return [
            (session.user_id, session.session_id) if session.user_id else ServiceError(Reason.SESSION_INVALID)
            for session in sessions
        ]

    async def users(self, user_ids: Sequence[UUID], timeout: float | None = None) -> dict[UUID, User]:
        """Those that exist and are not deleted, at this moment; at most 1,000. In `timeout` seconds, or as set."""
        if not user_ids:
            return {}
        request = BatchGetUsersRequest(user_ids=[str(user_id) for user_id in user_ids])
        response = await self._answer("BatchGetUsers", self._users.BatchGetUsers, request, timeout)
        found = {UUID(user.user_id): user for user in response.users if user.state != USER_STATE_DELETED}
        return {
            user_id: User(user_id, user.email, user.display_name, user.HasField("email_verified_time"))
            for user_id, user in found.items()
        }

    async def _answer(self, method: str, ask: Any, request: Message, timeout: float | None = None) -> Any:
        code, begin = "CANCELLED", time.perf_counter()
        try:
            response = await ask(request, timeout=timeout or self._timeout, metadata=self._metadata)
            code = "OK"
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            raise _unavailable(error) from None
        finally:
            IDENTITY_SECONDS.labels(method, code).observe(time.perf_counter() - begin)
        return response

    def events(self, cursor: str | None) -> EventStream:
        """All that happens after the cursor; without one, all accounts as they are and then what happens."""
        request = StreamEventsRequest(cursor=cursor or "", snapshot=cursor is None)
        return EventStream(self._events.StreamEvents(request, metadata=self._metadata))

    async def checked(self, user_ids: Mapping[int, UUID], timeout: float) -> list[Told]:
        """What an event would tell of these users at this moment, by check_id; at most 1,000."""
        users = await self.users(list(set(user_ids.values())), timeout)
        return [_checked(check_id, user_id, users.get(user_id)) for check_id, user_id in user_ids.items()]


def told(message: StreamEventsResponse) -> Told:
    content = message.WhichOneof("content")
    if content == "snapshot_user":
        user = message.snapshot_user
        event_id = f"snapshot-{user.user_id}"
        return Told("SNAPSHOT_USER", user.user_id, named(user), event_id, message, message.cursor)
    if content != "event":
        return Told("HEARTBEAT", "", None, "", message, message.cursor)
    event = message.event
    known = event.type in EventType.values()
    type_ = EventType.Name(event.type).removeprefix("EVENT_TYPE_") if known else "UNSPECIFIED"
    name = named(event.user) if event.HasField("user") else None
    return Told(type_, event.user_id, name, event.event_id, message, message.cursor)


def named(user: pb.User) -> tuple[str, str]:
    return user.email, user.display_name


def told_again(message: bytes) -> Told:
    """As it was when it was set aside."""
    return told(StreamEventsResponse.FromString(message))


def _checked(check_id: int, user_id: UUID, user: User | None) -> Told:
    event = Event(event_id=f"check-{check_id}", user_id=str(user_id))
    if user is None:
        event.type = EventType.EVENT_TYPE_USER_DELETED
    else:
        event.type = EventType.EVENT_TYPE_USER_UPDATED
        event.user.email, event.user.display_name = user.email, user.display_name
    return told(StreamEventsResponse(event=event))._replace(cursor=None, check_id=check_id)


def _unavailable(error: grpc.aio.AioRpcError) -> ServiceError:
    log.warning("identity did not answer", code=error.code().name, details=error.details())
    return ServiceError(Reason.IDENTITY_UNAVAILABLE)
