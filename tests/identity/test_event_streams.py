"""Streams of events: cursors, heartbeats, slow readers, lost connections, and how streams end."""

import asyncio
import base64
import gc
import random
import resource
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest

from protos.identity.v1 import events_pb2 as pb
from shared import event_cursor, event_log, event_streams
from shared.event_cursor import Cursor
from shared.event_log import EventLog
from shared.reasons import Reason
from shared.timestamps import EPOCH
from tenantry.testing.databases import Databases
from tenantry.testing.pair import running_identity
from tests.calls import fails
from tests.identity.event_reading import Alone, identity_alone, ids, next_of, take
from tests.proxy import Proxy
from tests.shared.all_kinds import Lines

MANY = 20_000
# A server that is stopping answers CANCELLED to a call that comes just then.
AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
# So that what is on the way is small beside what waits.
SMALL_WINDOWS = [("grpc.http2.lookahead_bytes", 65_536), ("grpc.http2.bdp_probe", 0)]


@pytest.fixture(scope="module")
async def alone(databases: Databases) -> AsyncIterator[Alone]:
    async with identity_alone(databases, EVENTS_KEEP_DAYS=2) as running:
        yield running


async def fill(alone: Alone, count: int) -> None:
    """Many events at once, too many for one statement of a service."""
    statement = """INSERT INTO events (type, user_id, session_id)
                   SELECT 'SESSION_CREATED', gen_random_uuid(), gen_random_uuid() FROM generate_series(1, %s)"""
    async with await alone.connect() as connection:
        await connection.execute("SET statement_timeout = '30s'")
        await connection.execute(statement, (count,))
        await connection.commit()


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


async def test_a_reader_that_does_not_read_holds_no_stop_back(databases: Databases) -> None:
    async with identity_alone(databases) as alone:
        cursor = await alone.now()
        await fill(alone, 5_000)
        # A window of almost nothing, so that the server soon waits.
        async with grpc.aio.insecure_channel(alone.service.address, options=SMALL_WINDOWS) as channel:
            stuck = alone.start(cursor, channel=channel)
            await next_of(stuck)
            async with asyncio.timeout(10):
                await alone.service.server.stop(60)
            assert alone.service.server._guard.calls_under_way == 0


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


def placed(**changes: Any) -> Any:
    """Changes a good cursor."""
    return lambda good: replace(good, **changes).encode()


def packed(form: str, *values: object) -> str:
    return base64.urlsafe_b64encode(struct.pack(form, *values)).decode().rstrip("=")


NOW = 1_790_000_000_000_000
HOSTILE = [
    "x", "=", "A" * 39, "A" * 50, "A" * 80, "A" * 81, "A" * 100_000, "é" * 39, "\0", "../../etc/passwd", "' OR 1=1 --",
    packed(">BiQqq", 0, 1, 1, 1, NOW), packed(">BiQqq", 3, 1, 1, 1, NOW), packed(">BiQqq", 2, 1, 1, 1, NOW),
    packed(">BiQqq", 255, -1, 2**64 - 1, -1, -1),
    packed(">BiQqq", 1, -1, 1, 1, NOW), packed(">BiQqq", 1, 1, 1, -1, NOW), packed(">BiQqq", 1, 1, 1, 1, -1),
    packed(">BiQqq", 1, 1, 1, 1, -(2**63)), packed(">BiQqq", 1, 1, 1, 1, 2**63 - 1),
    packed(">BiQqq", 1, 1, 2**64 - 1, 2**63 - 1, NOW), packed(">BiQqq", 1, 2**31 - 1, 1, 1, NOW),
    packed(">BiQqqB", 1, 1, 1, 1, NOW, 7), packed(">BiQqq15s", 2, 1, 1, 1, NOW, b"x"),
    packed(">BiQqq17s", 2, 1, 1, 1, NOW, b"x"),
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_what_is_no_cursor_of_this_stream_is_refused(alone: Alone, text: str) -> None:
    async with fails(Reason.CURSOR_INVALID):
        await next_of(alone.start(text))


@pytest.mark.parametrize(
    "damage",
    [
        lambda good: good.encode() + "=",
        lambda good: good.encode() + "A",
        lambda good: good.encode()[:-1],
        lambda good: " " + good.encode(),
        lambda good: good.encode()[:-1] + chr(ord(good.encode()[-1]) + 1),  # spare bits
        placed(epoch=2),
        placed(xid=10**12),
    ],
)
async def test_a_damaged_cursor_or_one_of_the_future_is_refused(alone: Alone, damage: Any) -> None:
    await alone.write()
    good = event_cursor.decode(await alone.now())
    async with fails(Reason.CURSOR_INVALID):
        await next_of(alone.start(damage(good)))


def test_cursors_are_read_as_they_were_written() -> None:
    chance = random.Random(7)
    for _ in range(200):
        time = EPOCH + timedelta(microseconds=chance.randrange(2**52))
        snapshot = UUID(int=chance.randrange(2**128)) if chance.random() < 0.5 else None
        place = chance.randrange(2**31), chance.randrange(2**64), chance.randrange(2**63)
        cursor = Cursor(*place, time, snapshot)
        assert event_cursor.decode(cursor.encode()) == cursor


async def test_a_cursor_older_than_the_events_kept_has_expired(alone: Alone) -> None:
    good = event_cursor.decode(await alone.now())
    for snapshot in (None, uuid4()):
        old = replace(good, time=good.time - timedelta(days=2, seconds=1), snapshot=snapshot)
        async with fails(Reason.CURSOR_EXPIRED):
            await next_of(alone.start(old.encode()))
    stream = alone.start(replace(good, time=good.time - timedelta(days=2, seconds=-60)).encode())
    [written] = await alone.write()
    assert ids(await take(stream, 1)) == [written]
    stream.cancel()


async def test_a_stream_that_falls_behind_what_is_kept_ends(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reader is so slow that the next events may have been cleared away: a gap must not go unnoticed."""
    monkeypatch.setattr(event_log, "PAGE", 2)
    monkeypatch.setattr(event_streams, "PAGE", 2)
    cursor = await alone.now()
    await alone.write(4)
    async with await alone.connect() as connection:
        move = """UPDATE events SET create_time = now() - interval '3 days' WHERE event_id =
                  (SELECT event_id FROM events ORDER BY event_id DESC OFFSET 2 LIMIT 1)"""
        await connection.execute(move)
    stream = alone.start(cursor)
    assert len(await take(stream, 2)) == 2
    async with fails(Reason.CURSOR_EXPIRED):
        await next_of(stream)


async def test_a_reader_that_stops_reading_costs_a_page_and_gets_everything_later(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = 0
    page = EventLog.page

    async def counted(self: EventLog, *arguments: Any) -> Any:
        nonlocal pages
        pages += 1
        return await page(self, *arguments)

    monkeypatch.setattr(EventLog, "page", counted)
    cursor = await alone.now()
    await fill(alone, MANY)
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
    await calls_under_way(alone, 0)
    monkeypatch.setattr(event_streams, "MOST", 3)
    streams = [alone.start() for _ in range(3)]
    for stream in streams:
        await next_of(stream)
    async with fails(Reason.STREAMS_BUSY) as failure:
        await next_of(alone.start())
    assert failure.retry_after == event_streams.BUSY_FOR
    streams[0].cancel()
    await calls_under_way(alone, 2)
    stream = alone.start()
    await next_of(stream)
    for each in (*streams[1:], stream):
        each.cancel()


async def calls_under_way(alone: Alone, number: int) -> None:
    async with asyncio.timeout(10):
        while alone.service.server._guard.calls_under_way != number:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_cancelled_streams_leave_one_quiet_line_and_nothing_open(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines()
    monkeypatch.setattr("shared.interceptors.log", lines)
    await calls_under_way(alone, 0)
    lines.lines.clear()
    cursor = await alone.now()
    assert (await lines.next())["code"] == "CANCELLED"
    await alone.write(3)
    idle, fresh, behind = alone.start(), alone.start(cursor), alone.start(cursor)
    for stream in (idle, fresh, behind):
        await next_of(stream)
        stream.cancel()
    await calls_under_way(alone, 0)
    for _ in range(3):
        line = await lines.next()
        assert (line["event"], line["code"], line["service"]) == ("call", "CANCELLED", "operator")
    assert lines.lines == []


async def test_a_failure_in_the_middle_of_a_stream_is_told_and_logged(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines()
    cursor = await alone.now()
    await calls_under_way(alone, 0)
    monkeypatch.setattr("shared.interceptors.log", lines)
    await alone.write(2)
    stream = alone.start(cursor)
    await take(stream, 2)
    monkeypatch.setattr(EventLog, "page", None)
    async with fails(Reason.INTERNAL):
        await next_of(stream)
    assert [(await lines.next())["event"] for _ in range(2)] == ["unexpected error", "call"]
    await calls_under_way(alone, 0)


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
