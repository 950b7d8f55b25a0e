"""One RPC, from authentication to its end: decoding, deadline, measures, the log line, errors to status."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, NamedTuple, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from shared.access_rules import Rule
from shared.admission import Crowd
from shared.authentication import Authentication, Metadata
from shared.call_metrics import Measured
from shared.caller import Caller, set_caller
from shared.deadline import set_deadline
from shared.errors import ServiceError, to_status
from shared.log import log
from shared.reasons import Reason
from shared.turns import Turns

DEFAULT_DEADLINE = 5.0  # seconds, for callers that set none or an absurd one
SLOW = 0.25  # seconds; a hot RPC is logged when it took longer or failed

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class UnderWay:
    """How many calls a server is working on, streams among them, and how many of these are streams."""

    __slots__ = ("calls", "streams")

    def __init__(self) -> None:
        self.calls = self.streams = 0


class Method(NamedTuple):
    """What is known of an RPC before anybody calls it."""

    name: str  # tenancy.v1.AccessService/CheckAccess
    rule: Rule
    authentication: Authentication
    hot: bool
    crowd: Crowd
    under_way: UnderWay
    turns: Turns
    measured: Measured
    behaviour: Any
    decode: Callable[[Any], Any]
    serialize: Any
    call: "type[Call]"


class Call:
    """Made for one RPC by the guard, and what gRPC takes for its handler."""

    __slots__ = ("_caller", "_metadata", "_method", "_start")

    request_streaming = response_streaming = False
    request_deserializer = None  # by us, within what is measured

    def __init__(self, method: Method, metadata: Metadata) -> None:
        self._method, self._metadata = method, metadata
        self._caller: Caller | None = None

    @property
    def response_serializer(self) -> Any:
        return self._method.serialize

    async def unary(self, data: Any, context: Context) -> Any:
        method = self._method
        self._begin()
        try:
            if self._claims_session():
                await self._confirm()
            request = method.decode(data)
            if method.hot:
                response = await method.behaviour(request, context)
            else:
                left = context.time_remaining()
                left = DEFAULT_DEADLINE if left is None else min(left, DEFAULT_DEADLINE)
                set_deadline(left)
                async with asyncio.timeout(left):
                    response = await method.turns.taken_by(method.behaviour(request, context))
        except BaseException as error:
            await self._failed(error, context)
            raise
        self._ended("OK")
        return response

    async def stream(self, data: Any, context: Context) -> None:
        """Not a generator: gRPC leaves one that is cancelled while it sends to the garbage collector."""
        self._begin()
        try:
            if self._claims_session():
                await self._confirm()
            responses = self._method.behaviour(self._method.decode(data), context)
            if isinstance(responses, Coroutine):  # the style that calls context.write()
                await responses
            else:
                async with aclosing(responses):
                    async for response in responses:
                        await send(context, response)
        except BaseException as error:
            await self._failed(error, context)
            raise
        self._ended("OK")

    def _begin(self) -> None:
        self._start = time.perf_counter()
        self._method.under_way.calls += 1
        self._method.under_way.streams += self.response_streaming
        self._method.crowd.under_way += 1

    def _claims_session(self) -> bool:
        """Whether it is still to be asked whose session the caller has."""
        rule = self._method.rule
        self._caller = self._method.authentication.claimed(rule, self._metadata)
        set_caller(self._caller)
        return self._caller.token is not None and not rule.session_checked_by_handler

    async def _confirm(self) -> None:
        assert self._caller is not None
        self._caller = await self._method.authentication.confirmed(self._caller)
        set_caller(self._caller)

    async def _failed(self, error: BaseException, context: Context) -> None:
        if isinstance(error, grpc.aio.AbortError):  # by a library's own servicer
            self._ended("ABORTED_BY_HANDLER")
        elif not isinstance(error, Exception):  # cancelled by the caller, also between two answers
            self._ended("CANCELLED")
        else:
            refusal = self._refusal(error)
            self._ended(refusal.code.name, refusal.reason.name)
            await context.abort_with_status(to_status(refusal))

    def _refusal(self, error: Exception) -> ServiceError:
        if isinstance(error, ServiceError):
            return error
        if isinstance(error, TimeoutError):
            return ServiceError(Reason.DEADLINE_EXCEEDED)
        log.error("unexpected error", method=self._method.name, exc_info=error)
        return ServiceError(Reason.INTERNAL)

    def _ended(self, code: str, reason: str | None = None) -> None:
        self._method.under_way.calls -= 1
        self._method.under_way.streams -= self.response_streaming
        self._method.crowd.under_way -= 1
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
            request_id=_request_id(self._metadata),
        )


class UnaryUnary(Call):
    __slots__ = ()
    unary_unary = Call.unary


class UnaryStream(Call):
    __slots__ = ()
    response_streaming = True
    unary_stream = Call.stream


class StreamUnary(Call):
    __slots__ = ()
    request_streaming = True
    stream_unary = Call.unary


class StreamStream(Call):
    __slots__ = ()
    request_streaming = response_streaming = True
    stream_stream = Call.stream


CALLS = {(each.request_streaming, each.response_streaming): each
         for each in (UnaryUnary, UnaryStream, StreamUnary, StreamStream)}  # fmt: skip


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


def _request_id(metadata: Metadata) -> str | None:
    for key, value in metadata:
        if key == "x-request-id":
            return str(value)[:64]
    return None
