"""Read without end over several connections, as our services do when they call each other, and count what failed."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from protos.identity.v1.sessions_pb2 import ValidateSessionRequest, ValidateSessionResponse
from shared.channel import connect

READ = "identity.v1.SessionService/ValidateSession"
RECONNECT = 100  # calls after which a connection is made anew


class Readers:
    """One person's session is looked at; another answer counts as a failure."""

    def __init__(self, address: str, token: str, user_id: str, service_key: str, in_flight: int) -> None:
        self._address, self._user_id, self._in_flight = address, user_id, in_flight
        self._request = ValidateSessionRequest(token=token)
        self._metadata = (("x-service-key", service_key),)
        self._numbers = itertools.count()
        self.answered = 0
        self.failures = Counter[str]()

    async def run(self, *, reconnect: bool) -> None:
        while True:
            await self._over_one_connection(RECONNECT if reconnect else None)

    async def _over_one_connection(self, calls: int | None) -> None:
        channel = connect(self._address, [READ], [("reader", next(self._numbers))])
        read: Any = channel.unary_unary(
            f"/{READ}", ValidateSessionRequest.SerializeToString, ValidateSessionResponse.FromString
        )
        work: Iterator[int] = iter(range(calls)) if calls else itertools.count()
        async with channel:
            await asyncio.gather(*[self._caller(read, work) for _ in range(self._in_flight)])

    async def _caller(self, read: Any, work: Iterator[int]) -> None:
        for _ in work:
            try:
                answer = await read(self._request, metadata=self._metadata, timeout=5)
            except grpc.aio.AioRpcError as error:
                self.failures[f"{error.code().name}: {error.details()}"] += 1
            else:
                self.failures["another person"] += answer.session.user_id != self._user_id
                self.answered += 1

    async def until(self, answered: int) -> None:
        while self.answered < answered:  # noqa: ASYNC110 - setting an event would cost every call
            await asyncio.sleep(0.01)


@asynccontextmanager
async def reading(
    address: str, token: str, user_id: str, service_key: str, *, connections: int = 8, in_flight: int = 4
) -> AsyncIterator[Readers]:
    """Begins when all connections are in use; every second one is made anew after a while."""
    readers = Readers(address, token, user_id, service_key, in_flight)
    tasks = [asyncio.create_task(readers.run(reconnect=n % 2 == 0)) for n in range(connections)]
    try:
        await readers.until(10 * connections * in_flight)
        yield readers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        readers.failures = +readers.failures
