"""Cursors of event streams: hostile, damaged, of the future, and too old."""

import base64
import random
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import event_cursor, event_log, event_streams
from shared.event_cursor import Cursor
from shared.reasons import Reason
from shared.timestamps import EPOCH
from tenantry.testing.databases import Databases
from tests.calls import fails
from tests.event_reading import Alone, identity_alone, ids, next_of, take


@pytest.fixture(scope="module")
async def alone(databases: Databases) -> AsyncIterator[Alone]:
    async with identity_alone(databases, EVENTS_KEEP_DAYS=2) as running:
        yield running


def placed(**changes: Any) -> Any:
    """Changes a good cursor."""
    return lambda good: replace(good, **changes).encode()


def packed(form: str, *values: object) -> str:
    return base64.urlsafe_b64encode(struct.pack(form, *values)).decode().rstrip("=")


NOW = 1_790_000_000_000_000
HOSTILE = [
    "x", "=", "A" * 39, "A" * 50, "A" * 80, "A" * 81, "A" * 110, "A" * 111,
    "A" * 100_000, "é" * 39, "\0", "../../etc/passwd", "' OR 1=1 --",
    packed(">BiQqq", 0, 1, 1, 1, NOW), packed(">BiQqq", 3, 1, 1, 1, NOW), packed(">BiQqq", 2, 1, 1, 1, NOW),
    packed(">BiQqq", 255, -1, 2**64 - 1, -1, -1),
    packed(">BiQqq", 1, -1, 1, 1, NOW), packed(">BiQqq", 1, 1, 1, -1, NOW), packed(">BiQqq", 1, 1, 1, 1, -1),
    packed(">BiQqq", 1, 1, 1, 1, -(2**63)), packed(">BiQqq", 1, 1, 1, 1, 2**63 - 1),
    packed(">BiQqq", 1, 1, 2**64 - 1, 2**63 - 1, NOW), packed(">BiQqq", 1, 2**31 - 1, 1, 1, NOW),
    packed(">BiQqqB", 1, 1, 1, 1, NOW, 7), packed(">BiQqq15s", 2, 1, 1, 1, NOW, b"x"),
    packed(">BiQqq17s", 2, 1, 1, 1, NOW, b"x"), packed(">BiQqq32s", 2, 1, 1, 1, NOW, b"x"),
    packed(">BiQqq48s", 2, 1, 1, 1, NOW, b"x"), packed(">BiQqq64s", 2, 1, 1, 1, NOW, b"x"),
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
        snapshot = tuple(UUID(int=chance.randrange(2**128)) for _ in range(chance.randrange(4))) or None
        place = chance.randrange(2**31), chance.randrange(2**64), chance.randrange(2**63)
        cursor = Cursor(*place, time, snapshot)
        assert event_cursor.decode(cursor.encode()) == cursor


async def test_a_cursor_older_than_the_events_kept_has_expired(alone: Alone) -> None:
    good = event_cursor.decode(await alone.now())
    for snapshot in (None, (uuid4(),)):
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
