"""A small gRPC service of our own with every kind of RPC, behind the real Guard on a real server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from shared.access_rules import PUBLIC, SESSION, Policy
from shared.admission import Admission
from shared.authentication import Authentication
from shared.call import Context
from shared.caller import Person, current_caller
from shared.errors import ServiceError
from shared.guard import Guard
from shared.reasons import Reason

SERVICE = "test.v1.Kinds"
# The last one answers through context.write(), as generated code may and grpcio's own servicers do.
KINDS = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream", "UnaryWrites")
ONE_ANSWER = ("UnaryUnary", "StreamUnary", "Open", "WithoutRow")
POLICY: Policy = {f"{SERVICE}/{kind}": SESSION for kind in KINDS} | {f"{SERVICE}/Open": PUBLIC}
ADA = Person(UUID(int=1), UUID(int=2))
AS_ADA = (("authorization", "Bearer ada"), ("x-request-id", "request-7"))
MALFORMED = b"\x0a\xff\xff\xff\xff\x7f"
LEAK = "postgresql://identity:hunter2@10.0.0.1/identity"


def said(text: str) -> bytes:
    return StringValue(value=text).SerializeToString()


@dataclass
class Kinds:
    """What the handlers have heard; the request `wait` keeps a call open until `let_go` is set."""

    heard: list[str] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: StringValue) -> StringValue:
        self.heard.append(request.value)
        match request.value:
            case "boom":
                raise RuntimeError(LEAK)
            case "refuse":
                raise ServiceError(Reason.BAD_REQUEST, fields=(("name", "too long"),))
            case "wait":
                self.waiting.set()
                await self.let_go.wait()
        person = current_caller().person
        return StringValue(value=f"{request.value} {person.user_id.int if person else 'nobody'}")

    async def unary_unary(self, request: StringValue, context: Context) -> StringValue:
        return await self.answer(request)

    async def unary_stream(self, request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        for _ in range(1_000_000 if request.value == "endless" else 2):
            yield await self.answer(request)

    async def stream_unary(self, requests: AsyncIterator[StringValue], context: Context) -> StringValue:
        return [await self.answer(request) async for request in requests][-1]

    async def stream_stream(self, requests: AsyncIterator[StringValue], context: Context) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield await self.answer(request)

    async def unary_writes(self, request: StringValue, context: Context) -> None:
        await context.write(await self.answer(request))

    def handlers(self) -> dict[str, Any]:
        def handler(make: Callable[..., Any], behaviour: Any) -> Any:
            return make(
                behaviour,
                request_deserializer=StringValue.FromString,
                response_serializer=StringValue.SerializeToString,
            )

        unary = handler(grpc.unary_unary_rpc_method_handler, self.unary_unary)
        return {
            "UnaryUnary": unary,
            "UnaryStream": handler(grpc.unary_stream_rpc_method_handler, self.unary_stream),
            "StreamUnary": handler(grpc.stream_unary_rpc_method_handler, self.stream_unary),
            "StreamStream": handler(grpc.stream_stream_rpc_method_handler, self.stream_stream),
            "UnaryWrites": handler(grpc.unary_stream_rpc_method_handler, self.unary_writes),
            "Open": unary,
            "WithoutRow": unary,
        }


class Lines:
    """Stands for the log: keeps its lines, and says when there are new ones."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    def info(self, event: str, **values: Any) -> None:
        self.lines.append({"event": event, **values})
        self._news.set()

    error = warning = info

    async def next(self) -> dict[str, Any]:
        """The oldest line that has not been asked for."""
        async with asyncio.timeout(5):
            while not self.lines:
                self._news.clear()
                await self._news.wait()
        return self.lines.pop(0)


@dataclass
class Running:
    channel: Any  # called with bytes, which the stubs do not foresee
    guard: Guard
    kinds: Kinds
    lines: Lines

    def start(self, kind: str, *requests: bytes, **options: Any) -> Any:
        """Begin a call with these bytes on the wire.

        One request alone leaves in one piece, also to an RPC that takes a stream: when a server refuses
        before it has read all, grpc.aio's streaming client now and then reports that its own sending failed.
        """
        options = {"metadata": AS_ADA} | options
        path, streams_answers = f"/{SERVICE}/{kind}", kind not in ONE_ANSWER
        if len(requests) == 1:
            make = self.channel.unary_stream if streams_answers else self.channel.unary_unary
            return make(path)(requests[0], **options)
        make_streaming = self.channel.stream_stream if streams_answers else self.channel.stream_unary
        return make_streaming(path)(each(*requests), **options)

    async def call(self, kind: str, *requests: bytes, **options: Any) -> list[str]:
        call = self.start(kind, *requests, **options)
        if isinstance(call, grpc.aio.UnaryStreamCall | grpc.aio.StreamStreamCall):
            return [StringValue.FromString(data).value async for data in call]
        return [StringValue.FromString(await call).value]


async def each(*requests: bytes) -> AsyncIterator[bytes]:
    for request in requests:
        yield request


async def find_person(token: str) -> Person:
    if token == "slow":
        await asyncio.Event().wait()
    if token == "broken":
        raise RuntimeError(LEAK)
    if token != "ada":
        raise ServiceError(Reason.SESSION_INVALID)
    return ADA


@asynccontextmanager
async def running_kinds(
    lines: Lines, quiet: frozenset[str] = frozenset(), admission: Admission | None = None
) -> AsyncIterator[Running]:
    kinds = Kinds()
    guard = Guard(POLICY, Authentication(find_person, {}, "connect.sid"), quiet, admission)
    guard.add_registered_method_handlers(SERVICE, kinds.handlers())
    server = grpc.aio.server()
    guard.join(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Running(channel, guard, kinds, lines)
    await server.stop(0)
