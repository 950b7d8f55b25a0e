"""Calls to a running pair, one at a time; their errors as the command line shows them."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
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

    def __init__(self, code: grpc.StatusCode, message: str, reason: str) -> None:
        named = f"{reason} ({code.name})" if reason else code.name
        status = NOT_REACHED if code in UNREACHED else REFUSED
        hint = f"more:  tenantry errors {reason}" if reason else "what runs, and where:  tenantry status"
        super().__init__(f"{message}   {named}", status, hint)
        self.code, self.text, self.reason = code, message, reason


@contextmanager
def as_operator(service: str) -> Iterator[Ask]:
    """Calls to `identity` or `tenancy` of the nearest running pair, or of the environment, with the operator's key."""
    key = operator()
    with connect(run_state.addresses()[service]) as channel:
        yield functools.partial(call, channel, metadata=key)


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
    info = ErrorInfo()
    if status is not None:
        next((detail for detail in status.details if detail.Unpack(info)), None)
    unreached = error.code() in UNREACHED and not info.reason
    return CallFailed(error.code(), "nobody answers there" if unreached else error.details(), info.reason)


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
