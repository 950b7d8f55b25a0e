"""Calls to a running pair, one at a time; their errors as the command line shows them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status

from tenantry import run_state
from tenantry.failures import NOT_REACHED, REFUSED, WRONG_USE, Failure

Response = TypeVar("Response", bound=Message)
Metadata = tuple[tuple[str, str], ...]


class Ask(Protocol):
    """One call, such as ask("identity.v1.UserService/GetUser", request, GetUserResponse)."""

    def __call__(
        self, method: str, request: Message, response_type: type[Response], *, timeout: float = ...
    ) -> Response: ...


UNREACHED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
OPTIONS = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]


class CallFailed(Failure):
    """The answer of a call that was refused, or that nobody answered."""

    def __init__(
        self, code: grpc.StatusCode, message: str, info: ErrorInfo | None = None, fields: frozenset[str] = frozenset()
    ) -> None:
        reason = info.reason if info else ""
        named = f"{reason} ({code.name})" if reason else code.name
        status = NOT_REACHED if code in UNREACHED else REFUSED
        hint = f"more:  tenantry errors {reason}" if reason else "what runs, and where:  tenantry status"
        super().__init__(f"{message}   {named}", status, hint)
        self.code, self.text, self.reason, self.fields = code, message, reason, fields
        self.told = dict(info.metadata) if info else {}


@contextmanager
def as_operator(*services: str) -> Iterator[Ask]:
    """Calls to `identity`, `tenancy` or both, of the nearest pair or the environment's, with the operator's key."""
    key, addresses = operator(), run_state.addresses()
    with ExitStack() as stack:
        channels = {service: stack.enter_context(connect(addresses[service])) for service in services}

        def ask(method: str, request: Message, response_type: type[Response], *, timeout: float = 10) -> Response:
            return call(channels[method.partition(".")[0]], method, request, response_type, key, timeout)

        yield ask


@contextmanager
def advised(**hints: str) -> Iterator[None]:
    """What to do next where a call of the block is refused, by the reason: as a rule a command to type."""
    try:
        yield
    except CallFailed as refused:
        refused.hint = hints.get(refused.reason, refused.hint)
        raise


def pages(ask: Ask, method: str, request: Any, response_type: type[Response]) -> Iterator[Response]:
    """Of a list, to its end."""
    while True:
        page: Any = ask(method, request, response_type)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def connect(address: str) -> grpc.Channel:
    return grpc.insecure_channel(address, options=OPTIONS)


def call(
    channel: grpc.Channel,
    method: str,
    request: Message,
    response_type: type[Response],
    metadata: Metadata = (),
    timeout: float = 10,
) -> Response:
    """`method` is a full name such as identity.v1.UserService/SignUp. The generated stubs are for asyncio."""
    rpc: Any = channel.unary_unary(
        f"/{method}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=response_type.FromString,
    )
    try:
        response: Response = rpc(request, metadata=metadata, timeout=timeout)
    except grpc.RpcError as error:
        raise failed(error) from None
    return response


def failed(error: Any) -> CallFailed:
    status = rpc_status.from_call(error)
    info, bad = ErrorInfo(), BadRequest()
    for detail in status.details if status is not None else ():
        detail.Unpack(info)
        detail.Unpack(bad)
    unreached = error.code() in UNREACHED and not info.reason
    message = "nobody answers there" if unreached else error.details()
    return CallFailed(error.code(), message, info, frozenset(violation.field for violation in bad.field_violations))


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def operator() -> Metadata:
    """The key of the running pair's operator, or the one in the environment."""
    key = run_state.service_key()
    if key is None:
        raise Failure("TENANTRY_SERVICE_KEY is not set", WRONG_USE, "it is in .tenantry/env of the running pair")
    return service_key(key)


def service_key(key: str) -> Metadata:
    return (("x-service-key", key),)


def is_serving(channel: grpc.Channel, timeout: float = 2) -> bool | None:
    """None: nobody answers."""
    request = health_pb2.HealthCheckRequest()
    try:
        answer = call(channel, "grpc.health.v1.Health/Check", request, health_pb2.HealthCheckResponse, timeout=timeout)
    except CallFailed as failure:
        return None if failure.exit_code == NOT_REACHED else False
    return answer.status == health_pb2.HealthCheckResponse.SERVING
