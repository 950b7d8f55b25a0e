"""Streams of events to readers: what they begin with, how many there are, how often they look, when they end."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

from shared import event_cursor
from shared.database import Row
from shared.errors import ServiceError
from shared.event_cursor import Cursor, Place
from shared.event_log import PAGE, EventLog
from shared.reasons import Reason

MOST = 100  # streams of a worker
BUSY_FOR = 5.0  # seconds after which a reader who found too many may try again
POLL = 0.25  # seconds between two looks when there is nothing to send
HEARTBEAT = 10.0  # seconds without an event

Response = TypeVar("Response", bound=Any)


class EventStreams:
    """`stopping` is set when the server stops; the streams then end, well and at once."""

    def __init__(self, log: EventLog, stopping: asyncio.Event) -> None:
        self.log, self.stopping = log, stopping
        self.open = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """The time of a stream; STREAMS_BUSY if there are too many."""
        if self.open >= MOST:
            raise ServiceError(Reason.STREAMS_BUSY, retry_after=BUSY_FOR)
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def respond(
        self,
        cursor_text: str,
        *,
        with_snapshot: bool,
        beginning: Place,
        snapshot: Callable[[Place], AsyncIterator[tuple[Place, Response]]],
        told: Callable[[Cursor, Row | None], Response],
    ) -> AsyncIterator[Response]:
        """A whole StreamEvents: from the cursor on, or without one from now on, or from a snapshot on.

        `snapshot` yields what is behind a place, at first `beginning`, each with its own; `told` makes a response of
        an event, or without one of a heartbeat. Every response gets the cursor to go on from.
        """
        with self.one():
            cursor = await self._begin(cursor_text, beginning, with_snapshot)
            begins_here = not cursor_text or cursor.snapshot is not None
            if cursor.snapshot is not None:
                async for place, response in snapshot(cursor.snapshot):
                    if self.stopping.is_set():
                        return
                    response.cursor = replace(cursor, snapshot=place).encode()
                    yield response
                cursor = replace(cursor, snapshot=None)
            async for after, row in self.follow(cursor, heartbeat_first=begins_here):
                response = told(after, row)
                response.cursor = after.encode()
                yield response

    async def _begin(self, text: str, beginning: Place, with_snapshot: bool) -> Cursor:
        if text:
            cursor = event_cursor.decode(text)
            if cursor.snapshot is not None and len(cursor.snapshot) != len(beginning):
                raise ServiceError(Reason.CURSOR_INVALID)
            await self.log.check(cursor)
            return cursor
        # Before the snapshot is read: what happens meanwhile comes as events.
        return replace(await self.log.beginning(), snapshot=beginning if with_snapshot else None)

    async def follow(self, cursor: Cursor, *, heartbeat_first: bool) -> AsyncIterator[tuple[Cursor, Row | None]]:
        """Every event after `cursor`, each with its own; None instead of an event is a heartbeat.

        Holds one page and no more: whoever takes the items waits until they are sent.
        """
        if heartbeat_first and not self.stopping.is_set():
            yield cursor, None
        quiet_since = time.monotonic()
        while not self.stopping.is_set():
            mark = await self.log.watermark()
            rows = await self.log.page(cursor, mark)
            for row in rows:
                if self.stopping.is_set():
                    return
                cursor = Cursor(row.epoch, int(row.xid), row.event_id, row.create_time)
                yield cursor, row
            if rows:
                quiet_since = time.monotonic()
            if len(rows) == PAGE:
                continue
            cursor = replace(cursor, time=mark.time)
            if time.monotonic() - quiet_since >= HEARTBEAT:
                yield cursor, None
                quiet_since = time.monotonic()
            await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self.stopping.wait()
