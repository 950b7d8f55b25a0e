"""Streams of events to readers: how many there are, how often they look, when they end."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from shared.database import Row
from shared.errors import ServiceError
from shared.event_cursor import Cursor
from shared.event_log import PAGE, EventLog
from shared.reasons import Reason

MOST = 100  # streams of a worker
BUSY_FOR = 5.0  # seconds after which a reader who found too many may try again
POLL = 0.25  # seconds between two looks when there is nothing to send
HEARTBEAT = 10.0  # seconds without an event


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
