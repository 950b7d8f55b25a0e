"""What stands around every RPC, unary or streaming: log, errors to status, authentication, decoding, deadline."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, NamedTuple, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from shared.access_rules import Policy, Rule
from shared.admission import Admission, Crowd
from shared.authentication import Authentication
from shared.call_metrics import UNKNOWN, Measured
from shared.caller import set_caller
from shared.deadline import set_deadline
from shared.errors import ServiceError, to_status
from shared.log import log
from shared.reasons import Reason

DEFAULT_DEADLINE = 5.0  # seconds, for callers that set none or an absurd one
SLOW = 0.25  # seconds; a hot RPC is logged when it took longer or failed

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Method(NamedTuple):
    """What is known of an RPC before anybody calls it."""

    name: str  # tenancy.v1.AccessService/CheckAccess
    rule: Rule
    hot: bool
    crowd: Crowd
    measured: Measured


class Guard(grpc.GenericRpcHandler):
    """Between gRPC and every handler, so that no kind of RPC can slip past a part of it.

    The generated functions add their handlers to it as they would to a server, and each is wrapped once. As an
    interceptor it would cost every call four more coroutines.

    `hot` are unary RPCs called so often that a log line for each would cost more than the answer, and that need
    no timer of their own: whatever they wait for has one (shared/batcher.py).
    """

    def __init__(
        self,
        policy: Policy,
        authentication: Authentication,
        hot: frozenset[str] = frozenset(),
        admission: Admission | None = None,
    ) -> None:
        self._policy = policy
        self.authentication = authentication
        self.admission = admission or Admission()
        self._hot = hot
        self._wrapped: dict[str, Handler] = {}
        self.calls_under_way = 0
        self.streams_under_way = 0

    async def calls_over(self, seconds: float, *, but_streams: bool = False) -> None:
        """Wait until no handler runs: gRPC cancels them when it stops, but does not wait for their ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:  # looked at again and again, as an Event would cost every call
            if self.calls_under_way <= (self.streams_under_way if but_streams else 0):
                return
            await asyncio.sleep(0.005)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """One without a row in the policy stays unknown."""
        for name, handler in handlers.items():
            if (method := f"{service}/{name}") in self._policy:
                self._wrapped[f"/{method}"] = self._wrap(method, handler)

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """The same once more: they call both."""

    def join(self, server: grpc.aio.Server, own_queues: Iterable[str] = ()) -> None:
        """What was added is served by it.

        Methods with a queue of their own in gRPC wait for no other, and make every call a little dearer.
        """
        server.add_generic_rpc_handlers((self,))
        for method in own_queues:
            service, _, name = method.partition("/")
            # Nobody in particular: gRPC then asks `service`.
            server.add_registered_method_handlers(service, {name: None})  # type: ignore[dict-item]

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        """For each call, before its request is read."""
        path = handler_call_details.method
        wrapped = self._wrapped.get(path)
        if wrapped is None:
            return grpc.stream_stream_rpc_method_handler(_unknown_method)
        return self.admission.refusal(path) or wrapped

    def _wrap(self, name: str, handler: Handler) -> Handler:
        kind = (handler.request_streaming, handler.response_streaming)
        behaviour: Any = {
            (False, False): handler.unary_unary,
            (False, True): handler.unary_stream,
            (True, False): handler.stream_unary,
            (True, True): handler.stream_stream,
        }[kind]
        decode, hot = handler.request_deserializer, name in self._hot
        measured = Measured(name, is_stream=handler.response_streaming)
        method = Method(name, self._policy[name], hot, self.admission.crowd(name), measured)
        decode_any = decoded_each if handler.request_streaming else decoded

        async def unary(data: Any, context: Context) -> Any:
            async with Call(self, method, context):
                request = decode_any(decode, data)
                if hot:
                    return await behaviour(request, context)
                left = context.time_remaining()
                left = DEFAULT_DEADLINE if left is None else min(left, DEFAULT_DEADLINE)
                set_deadline(left)
                async with asyncio.timeout(left):
                    return await behaviour(request, context)

        async def stream(data: Any, context: Context) -> None:
            # Not a generator: gRPC leaves one that is cancelled while it sends to the garbage collector.
            async with Call(self, method, context, is_stream=True):
                responses = behaviour(decode_any(decode, data), context)
                if isinstance(responses, Coroutine):  # the style that calls context.write()
                    await responses
                    return
                async with aclosing(responses):
                    async for response in responses:
                        await send(context, response)

        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[kind]
        wrapper: Any = stream if handler.response_streaming else unary
        return make(wrapper, response_serializer=handler.response_serializer)


class Call:
    """The time of one RPC: authentication as it begins; as it ends its measures, the log line, the error's status."""

    __slots__ = ("_caller", "_context", "_guard", "_is_stream", "_method", "_start")

    def __init__(self, guard: Guard, method: Method, context: Context, *, is_stream: bool = False) -> None:
        self._guard, self._method, self._context, self._is_stream = guard, method, context, is_stream
        self._caller: Any = None

    async def __aenter__(self) -> None:
        self._start = time.perf_counter()
        self._guard.calls_under_way += 1
        self._method.crowd.under_way += 1
        self._guard.streams_under_way += self._is_stream
        try:
            metadata = self._context.invocation_metadata() or ()
            self._caller = await self._guard.authentication.caller(self._method.rule, metadata)  # type: ignore[arg-type]
            set_caller(self._caller)
        except BaseException as error:
            await self._end(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end(error)

    async def _end(self, error: BaseException | None) -> None:
        self._guard.calls_under_way -= 1
        self._method.crowd.under_way -= 1
        self._guard.streams_under_way -= self._is_stream
        if error is None:
            self._log("OK")
        elif isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
            await self._refuse(error)
        else:  # aborted by a library's own servicer, or cancelled by the caller, also between two answers
            self._log("ABORTED_BY_HANDLER" if isinstance(error, grpc.aio.AbortError) else "CANCELLED")

    async def _refuse(self, error: Exception) -> None:
        if isinstance(error, TimeoutError):
            error = ServiceError(Reason.DEADLINE_EXCEEDED)
        elif not isinstance(error, ServiceError):
            log.error("unexpected error", method=self._method.name, exc_info=error)
            error = ServiceError(Reason.INTERNAL)
        self._log(error.code.name, error.reason.name)
        await self._context.abort_with_status(to_status(error))

    def _log(self, code: str, reason: str | None = None) -> None:
        seconds = time.perf_counter() - self._start
        self._method.measured.ended(code, seconds, reason)
        if self._method.hot and reason is None and seconds < SLOW:
            return
        caller = self._caller
        log.info(
            "call",
            method=self._method.name,
            code=code,
            reason=reason,
            milliseconds=round(seconds * 1000, 1),
            user_id=str(caller.person.user_id) if caller and caller.person else None,
            service=caller.service if caller else None,
            request_id=_request_id(self._context),
        )


def decoded(decode: Callable[[bytes], Any] | None, data: bytes) -> Any:
    """gRPC's own decoding answers UNKNOWN with class names in it; ours answers INVALID_ARGUMENT."""
    try:
        return decode(data) if decode else data
    except DecodeError:
        raise ServiceError(Reason.MALFORMED_REQUEST) from None


async def decoded_each(decode: Callable[[bytes], Any] | None, data: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for item in data:
        yield decoded(decode, item)


async def send(context: Context, response: Any) -> None:
    try:
        await context.write(response)
    except grpc.aio.InternalError:  # the connection went away, and gRPC is about to cancel us for it
        raise asyncio.CancelledError from None


async def _unknown_method(_requests: Any, context: Any) -> None:
    """As a stream: one that reads a first message would wait for ever for a caller who sends none."""
    UNKNOWN.ended(Reason.METHOD_UNKNOWN.value.code.name, 0.0, Reason.METHOD_UNKNOWN.name)
    await context.abort_with_status(to_status(ServiceError(Reason.METHOD_UNKNOWN)))


def _request_id(context: Context) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == "x-request-id":
            return str(value)[:64]
    return None
