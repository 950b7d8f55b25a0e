"""Streams of events: cursors, heartbeats, slow readers, lost connections, and how streams end."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from protos.identity.v1 import events_pb2 as pb
from shared import event_cursor, event_log, event_streams
from shared.event_log import EventLog
from shared.reasons import Reason
from shared.timestamps import EPOCH
from tenantry.testing.databases import Databases
from tenantry.testing.pair import running_identity
from tests.calls import fails
from tests.event_reading import Alone, identity_alone, ids, next_of, take
from tests.proxy import Proxy
from tests.shared.all_kinds import Lines

# A server that is stopping answers CANCELLED to a call that comes just then.
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


@pytest.fixture(scope="module")
async def alone(databases: Databases) -> AsyncIterator[Alone]:
    async with identity_alone(databases, EVENTS_KEEP_DAYS=2) as running:
        yield running


async def ended(stream: Any) -> grpc.StatusCode:
    """Read to the end; the stream's status."""
    async with asyncio.timeout(20):
        while await stream.read() is not grpc.aio.EOF:
            pass
        return await stream.code()  # type: ignore[no-any-return]


async def test_without_a_cursor_the_stream_begins_now_and_says_where_that_is(alone: Alone) -> None:
    await alone.write(2)
    stream = alone.start()
    first = await next_of(stream)
    assert first.HasField("heartbeat")
    new = await alone.write(2)
    assert ids(await take(stream, 2)) == new
    stream.cancel()
    stream = alone.start(first.cursor)
    assert ids(await take(stream, 2)) == new
    stream.cancel()


async def test_from_any_cursor_the_same_events_follow(alone: Alone) -> None:
    start = await alone.now()
    await alone.write(150)
    stream = alone.start(start)
    whole = await take(stream, 150)
    stream.cancel()
    chance = random.Random(20)
    for cut in [0, 99, 100, 148, *chance.sample(range(149), 16)]:
        stream = alone.start(whole[cut].cursor)
        assert await take(stream, 149 - cut) == whole[cut + 1 :]
        stream.cancel()


async def test_a_reader_killed_before_it_stored_the_cursor_gets_the_same_event_again(alone: Alone) -> None:
    stored = await alone.now()
    written = await alone.write(20)
    effects: list[str] = []
    for kill_at in (1, 4, 9):
        stream = alone.start(stored)
        for _ in range(kill_at):
            [message] = await take(stream, 1)
            effects.append(message.event.event_id)
            if _ < kill_at - 1:
                stored = message.cursor
        stream.cancel()
    stream = alone.start(stored)
    effects += ids(await take(stream, 20 - len(set(effects)) + 1))
    stream.cancel()
    assert list(dict.fromkeys(effects)) == written
    assert len(effects) == 20 + 3


async def follow_through(alone: Alone, channel: grpc.aio.Channel, cursor: str, count: int) -> list[str]:
    """As docs/identity.md says: begin again with the last cursor, after a moment if the server is away."""
    received: list[str] = []
    async with asyncio.timeout(30):
        while len(received) < count:
            try:
                async for message in alone.start(cursor, channel=channel):
                    cursor = message.cursor
                    if message.HasField("event"):
                        received.append(message.event.event_id)
                        if len(received) == count:
                            return received
            except grpc.aio.AioRpcError as error:
                if error.code() not in AWAY:
                    raise
                await asyncio.sleep(0.05)
    return received


async def test_a_cut_connection_loses_nothing(alone: Alone) -> None:
    cursor = await alone.now()
    async with Proxy(alone.service.address) as proxy, grpc.aio.insecure_channel(proxy.address) as channel:
        reading = asyncio.create_task(follow_through(alone, channel, cursor, 60))
        written: list[str] = []
        for _ in range(6):
            written += await alone.write(10)
            await asyncio.sleep(0.05)
            proxy.cut()
        assert await reading == written


async def test_a_restarted_server_loses_nothing_and_ends_its_streams_well(alone: Alone) -> None:
    cursor = await alone.now()
    written: list[str] = []
    async with running_identity(alone.settings) as first, Proxy(first.address) as proxy:
        idle = alone.start(channel=first.channel)
        await next_of(idle)
        async with grpc.aio.insecure_channel(proxy.address) as channel:
            reading = asyncio.create_task(follow_through(alone, channel, cursor, 60))
            written += await alone.write(30)
            # A long grace, and it is not used: no stream holds the stop back.
            async with asyncio.timeout(10):
                ends = asyncio.create_task(ended(idle))
                await first.server.stop(60)
            assert await ends is grpc.StatusCode.OK
            async with running_identity(alone.settings) as second:
                proxy.target = second.address
                written += await alone.write(30)
                assert await reading == written


async def test_a_database_outage_ends_the_stream_and_it_goes_on_from_the_cursor(databases: Databases) -> None:
    async with identity_alone(databases) as alone:
        real = databases.service_url("identity", "")
        address = real.rpartition("@")[2].rstrip("/")
        async with Proxy(address) as proxy:
            url = alone.service.database_url.replace(address, proxy.address)
            settings = alone.settings.model_copy(update={"database_url": type(alone.settings.database_url)(url)})
            async with running_identity(settings) as behind:
                stream = alone.start(channel=behind.channel)
                cursor = (await next_of(stream)).cursor
                proxy.target = "127.0.0.1:1"
                proxy.cut()
                async with fails(Reason.DATABASE_UNAVAILABLE):
                    while await stream.read() is not grpc.aio.EOF:
                        pass
                written = await alone.write(3)
                proxy.target = address
                assert await follow_through(alone, behind.channel, cursor, 3) == written


async def test_an_idle_stream_has_heartbeats_whose_cursors_stay_young(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "HEARTBEAT", 0.05)
    monkeypatch.setattr(event_streams, "POLL", 0.02)
    stream = alone.start()
    beats = [await next_of(stream) for _ in range(4)]
    assert all(beat.HasField("heartbeat") for beat in beats)
    times = [event_cursor.decode(beat.cursor).time for beat in beats]
    assert times == sorted(times)
    assert times[0] < times[-1]
    assert [beat.heartbeat.time.ToDatetime(tzinfo=EPOCH.tzinfo) for beat in beats] == times
    [event_id] = await alone.write()
    assert ids(await take(stream, 1)) == [event_id]
    stream.cancel()
    stream = alone.start(beats[1].cursor)
    assert ids(await take(stream, 1)) == [event_id]
    stream.cancel()


async def test_cancelled_streams_leave_one_quiet_line_and_nothing_open(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines()
    monkeypatch.setattr("shared.call.log", lines)
    await alone.calls_under_way(0)
    lines.lines.clear()
    cursor = await alone.now()
    assert (await lines.next())["code"] == "CANCELLED"
    await alone.write(3)
    idle, fresh, behind = alone.start(), alone.start(cursor), alone.start(cursor)
    for stream in (idle, fresh, behind):
        await next_of(stream)
        stream.cancel()
    await alone.calls_under_way(0)
    for _ in range(3):
        line = await lines.next()
        assert (line["event"], line["code"], line["service"]) == ("call", "CANCELLED", "operator")
    assert lines.lines == []


async def test_a_failure_in_the_middle_of_a_stream_is_told_and_logged(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines()
    cursor = await alone.now()
    await alone.calls_under_way(0)
    monkeypatch.setattr("shared.call.log", lines)
    await alone.write(2)
    stream = alone.start(cursor)
    await take(stream, 2)
    monkeypatch.setattr(EventLog, "page", None)
    async with fails(Reason.INTERNAL):
        await next_of(stream)
    assert [(await lines.next())["event"] for _ in range(2)] == ["unexpected error", "call"]
    await alone.calls_under_way(0)


async def test_a_transaction_that_holds_all_events_back_is_told_of(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines()
    monkeypatch.setattr(event_log, "log", lines)
    monkeypatch.setattr(event_log, "LAG", 0.5)
    stream = alone.start()
    await next_of(stream)
    async with await alone.connect() as long:
        await long.execute("SELECT pg_current_xact_id()")
        written = await alone.write()
        line = await lines.next()
        assert line["event"] == "a long transaction holds all events back"
    assert ids(await take(stream, 1)) == written
    stream.cancel()


async def test_an_event_of_a_type_that_is_not_known_yet_holds_nothing_back(alone: Alone) -> None:
    cursor = await alone.now()
    async with await alone.connect() as connection:
        await connection.execute("INSERT INTO events (type, user_id) VALUES ('USER_MERGED', gen_random_uuid())")
        await connection.commit()
    later = await alone.write()
    stream = alone.start(cursor)
    unknown, known = await take(stream, 2)
    assert unknown.event.type == pb.EVENT_TYPE_UNSPECIFIED
    assert ids([known]) == later
    stream.cancel()
