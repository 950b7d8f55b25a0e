"""An identity service on a database of its own, events written to it by hand, and readers of its stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import grpc
import psycopg

from identity_service.settings import Settings
from protos.identity.v1 import events_pb2 as pb
from protos.identity.v1.events_pb2_grpc import EventServiceStub
from shared.database import Database
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Service, identity_settings, running_identity
from tenantry.testing.people import AS_OPERATOR

WRITE = "INSERT INTO events (type, user_id, session_id) VALUES ('SESSION_CREATED', %s, %s) RETURNING event_id"
Connection = psycopg.AsyncConnection[Any]


@dataclass
class Alone:
    """Nobody else writes events here."""

    service: Service
    settings: Settings

    @property
    def channel(self) -> grpc.aio.Channel:
        return self.service.channel

    def start(self, cursor: str = "", *, snapshot: bool = False, channel: grpc.aio.Channel | None = None) -> Any:
        request = pb.StreamEventsRequest(cursor=cursor, snapshot=snapshot)
        return EventServiceStub(channel or self.channel).StreamEvents(request, metadata=AS_OPERATOR)

    async def now(self) -> str:
        """A cursor after all that has happened."""
        stream = self.start()
        first = await next_of(stream)
        stream.cancel()
        assert first.HasField("heartbeat")
        return first.cursor

    async def connect(self) -> Connection:
        return await psycopg.AsyncConnection.connect(self.service.database_url)

    async def write(self, count: int = 1, user_id: UUID | None = None) -> list[str]:
        """The ids of new events, each committed before the next."""
        async with await self.connect() as connection:
            ids = []
            for _ in range(count):
                cursor = await connection.execute(WRITE, (user_id or uuid4(), uuid4()))
                ids.append(str((await cursor.fetchone() or [])[0]))
                await connection.commit()
            return ids

    async def fill(self, count: int) -> None:
        """Many events at once, too many for one statement of a service."""
        statement = """INSERT INTO events (type, user_id, session_id)
                       SELECT 'SESSION_CREATED', gen_random_uuid(), gen_random_uuid() FROM generate_series(1, %s)"""
        async with await self.connect() as connection:
            await connection.execute("SET statement_timeout = '30s'")
            await connection.execute(statement, (count,))
            await connection.commit()

    async def calls_under_way(self, number: int) -> None:
        """Wait until there are so many."""
        async with asyncio.timeout(10):
            while self.service.server._guard.calls_under_way != number:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def database(self) -> Database:
        return Database(self.service.database_url, pool_size=8, name="test", constraint_errors={})


@asynccontextmanager
async def identity_alone(databases: Databases, **changes: object) -> AsyncIterator[Alone]:
    settings = identity_settings(databases.service_url("identity", databases.copy("identity")), **changes)
    async with running_identity(settings) as service:
        yield Alone(service, settings)


async def next_of(stream: Any) -> pb.StreamEventsResponse:
    """The next message; AssertionError if the stream is over."""
    async with asyncio.timeout(20):
        message = await stream.read()
    assert message is not grpc.aio.EOF, "the stream has ended"
    return message  # type: ignore[no-any-return]


async def take(stream: Any, count: int) -> list[pb.StreamEventsResponse]:
    """The next so many events; heartbeats between them are left out."""
    messages: list[pb.StreamEventsResponse] = []
    async with asyncio.timeout(30):
        while len(messages) < count:
            message = await next_of(stream)
            if message.HasField("event"):
                messages.append(message)
    return messages


def ids(messages: list[pb.StreamEventsResponse]) -> list[str]:
    return [message.event.event_id for message in messages]
