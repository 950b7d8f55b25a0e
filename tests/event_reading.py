"""A service on a database of its own, events written to it by hand, and readers of its stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import grpc
import psycopg

import identity_service.tables
import tenancy_service.tables
from protos.identity.v1 import events_pb2 as identity_pb
from protos.identity.v1.events_pb2_grpc import EventServiceStub as IdentityStub
from protos.tenancy.v1 import events_pb2 as tenancy_pb
from protos.tenancy.v1.events_pb2_grpc import EventServiceStub as TenancyStub
from shared.database import Database
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Service, identity_settings, running_identity, running_tenancy, tenancy_settings
from tenantry.testing.people import AS_OPERATOR

# So that what is on the way is small beside what waits.
SMALL_WINDOWS = [("grpc.http2.lookahead_bytes", 65_536), ("grpc.http2.bdp_probe", 0)]
Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True)
class Kind:
    """A service's events: `subject` is what those about the same thing share, `other` a second id of theirs."""

    stub: Any
    request: Any
    tables: Any
    type_: str
    subject: str
    other: str

    @property
    def columns(self) -> str:
        return f"INSERT INTO events (type, {self.subject}, {self.other})"

    @property
    def write(self) -> str:
        return f"{self.columns} VALUES ('{self.type_}', %s, %s) RETURNING event_id"

    @property
    def fill(self) -> str:
        new = f"SELECT '{self.type_}', gen_random_uuid(), gen_random_uuid()"
        return f"{self.columns} {new} FROM generate_series(1, %s)"


IDENTITY = Kind(
    IdentityStub, identity_pb.StreamEventsRequest, identity_service.tables, "SESSION_CREATED", "user_id", "session_id"
)
TENANCY = Kind(
    TenancyStub, tenancy_pb.StreamEventsRequest, tenancy_service.tables, "MEMBER_REMOVED", "organization_id", "user_id"
)


@dataclass
class Alone:
    """Nobody else writes events here."""

    service: Service
    settings: Any
    kind: Kind = field(default=IDENTITY)

    @property
    def channel(self) -> grpc.aio.Channel:
        return self.service.channel

    def start(self, cursor: str = "", *, snapshot: bool = False, channel: grpc.aio.Channel | None = None) -> Any:
        request = self.kind.request(cursor=cursor, snapshot=snapshot)
        return self.kind.stub(channel or self.channel).StreamEvents(request, metadata=AS_OPERATOR)

    async def now(self) -> str:
        """A cursor after all that has happened."""
        stream = self.start()
        first = await next_of(stream)
        stream.cancel()
        assert first.HasField("heartbeat")
        return str(first.cursor)

    async def connect(self) -> Connection:
        return await psycopg.AsyncConnection.connect(self.service.database_url)

    async def write(self, count: int = 1, subject: UUID | None = None) -> list[str]:
        """The ids of new events, each committed before the next."""
        async with await self.connect() as connection:
            ids = []
            for _ in range(count):
                cursor = await connection.execute(self.kind.write, (subject or uuid4(), uuid4()))
                ids.append(str((await cursor.fetchone() or [])[0]))
                await connection.commit()
            return ids

    async def fill(self, count: int) -> None:
        """Many events at once, too many for one statement of a service."""
        async with await self.connect() as connection:
            await connection.execute("SET statement_timeout = '30s'")
            await connection.execute(self.kind.fill, (count,))
            await connection.commit()

    async def calls_under_way(self, number: int) -> None:
        """Wait until there are so many."""
        async with asyncio.timeout(10):
            while self.service.server._guard.under_way.calls != number:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def database(self) -> Database:
        return Database(self.service.database_url, pool_size=8, name="test", constraint_errors={})


def alone(kind: Kind, databases: Databases) -> AbstractAsyncContextManager[Alone]:
    return identity_alone(databases) if kind is IDENTITY else tenancy_alone(databases)


@asynccontextmanager
async def identity_alone(databases: Databases, **changes: object) -> AsyncIterator[Alone]:
    settings = identity_settings(databases.service_url("identity", databases.copy("identity")), **changes)
    async with running_identity(settings) as service:
        yield Alone(service, settings)


@asynccontextmanager
async def tenancy_alone(databases: Databases, **changes: object) -> AsyncIterator[Alone]:
    """Without an identity: services with a key need none."""
    url = databases.service_url("tenancy", databases.copy("tenancy"))
    settings = tenancy_settings(url, "127.0.0.1:1", **changes)
    async with running_tenancy(settings) as service:
        yield Alone(service, settings, TENANCY)


async def next_of(stream: Any) -> Any:
    """The next message; AssertionError if the stream is over."""
    async with asyncio.timeout(20):
        message = await stream.read()
    assert message is not grpc.aio.EOF, "the stream has ended"
    return message


async def take(stream: Any, count: int) -> list[Any]:
    """The next so many events; heartbeats between them are left out."""
    messages: list[Any] = []
    async with asyncio.timeout(30):
        while len(messages) < count:
            message = await next_of(stream)
            if message.HasField("event"):
                messages.append(message)
    return messages


def ids(messages: list[Any]) -> list[str]:
    return [message.event.event_id for message in messages]
