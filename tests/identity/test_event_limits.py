"""Readers of event streams that do not read, and too many of them."""

import asyncio
import gc
import resource
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from shared import event_log, event_streams
from shared.event_log import EventLog
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tests.calls import fails
from tests.event_reading import SMALL_WINDOWS, Alone, identity_alone, ids, next_of, take

MANY = 20_000


@pytest.fixture(scope="module")
async def alone(databases: Databases) -> AsyncIterator[Alone]:
    async with identity_alone(databases) as running:
        yield running


async def test_a_reader_that_does_not_read_holds_no_stop_back(databases: Databases) -> None:
    async with identity_alone(databases) as alone:
        cursor = await alone.now()
        await alone.fill(5_000)
        # A window of almost nothing, so that the server soon waits.
        async with grpc.aio.insecure_channel(alone.service.address, options=SMALL_WINDOWS) as channel:
            stuck = alone.start(cursor, channel=channel)
            await next_of(stuck)
            async with asyncio.timeout(10):
                await alone.service.server.stop(60)
            assert alone.service.server._guard.under_way.calls == 0


async def test_a_reader_that_stops_reading_costs_a_page_and_gets_everything_later(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = 0
    page = EventLog.page

    async def counted(self: EventLog, *arguments: Any) -> Any:
        nonlocal pages
        rows = await page(self, *arguments)
        pages += bool(rows)  # other streams, which wait, look and find nothing
        return rows

    monkeypatch.setattr(EventLog, "page", counted)
    cursor = await alone.now()
    await alone.fill(MANY)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with grpc.aio.insecure_channel(alone.service.address, options=SMALL_WINDOWS) as channel:
        stream = alone.start(cursor, channel=channel)
        received = ids(await take(stream, 1))
        stood = -1
        while stood != pages:
            stood = pages
            await asyncio.sleep(0.5)
        assert pages * event_log.PAGE < MANY / 4
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        assert grown < 20
        while len(received) < MANY:
            received.append((await stream.read()).event.event_id)
        stream.cancel()
    assert received == [str(n) for n in range(int(received[0]), int(received[0]) + MANY)]


async def test_there_are_so_many_streams_and_one_more_is_told_when_to_try_again(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert event_streams.MOST == 100
    await alone.calls_under_way(0)
    monkeypatch.setattr(event_streams, "MOST", 3)
    streams = [alone.start() for _ in range(3)]
    for stream in streams:
        await next_of(stream)
    async with fails(Reason.STREAMS_BUSY) as failure:
        await next_of(alone.start())
    assert failure.retry_after == event_streams.BUSY_FOR
    streams[0].cancel()
    await alone.calls_under_way(2)
    stream = alone.start()
    await next_of(stream)
    for each in (*streams[1:], stream):
        each.cancel()
