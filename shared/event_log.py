"""A table of events, read in the order in which they became visible.

Ids and times are given before a transaction commits, so whoever reads "all above the last id" misses the events that
commit late. Readers here go by (epoch, xid, event_id) and stay below the oldest transaction that is under way:
nothing can come to stand there any more. The table has these columns and `create_time` besides its own, and a
trigger of its own that orders what is about the same thing.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Table,
    Text,
    cast,
    exists,
    func,
    literal,
    select,
    text,
    tuple_,
)

from shared.database import Database, Row, Tx, first, many, one
from shared.errors import ServiceError
from shared.event_cursor import Cursor
from shared.log import log
from shared.reasons import Reason
from shared.schema import Xid8

PAGE = 100  # events; with the largest users in them about 1 MB
FRESH = 0.1  # seconds that streams share a watermark for
LAG = 30.0  # seconds that one transaction may hold all events back before the log says so


@dataclass(frozen=True, slots=True)
class Watermark:
    """Every transaction below (epoch, xid) is over. `next_xid` is one that none has had yet; time is the database's."""

    epoch: int
    xid: int
    next_xid: int
    time: datetime


class EventLog:
    """`epochs` has one row with the current epoch; events older than `keep` may be gone."""

    def __init__(self, database: Database, events: Table, epochs: Table, *, keep: timedelta) -> None:
        self._database, self._events, self._epochs, self._keep = database, events, epochs, keep
        self._last: Watermark | None = None
        self._read_at = 0.0
        self._xid_since = 0.0

    async def beginning(self) -> Cursor:
        """From now on: after the last event that can be read."""
        mark = await self._read_watermark()
        t = self._events
        last = select(t).where(self._below(mark)).order_by(t.c.epoch.desc(), t.c.xid.desc(), t.c.event_id.desc())
        async with self._database.single_read() as tx:
            row = await first(tx, last.limit(1))
        return Cursor(row.epoch, int(row.xid), row.event_id, mark.time) if row else Cursor(0, 0, 0, mark.time)

    async def check(self, cursor: Cursor) -> None:
        """CURSOR_INVALID or CURSOR_EXPIRED unless the stream can go on from there without a gap."""
        mark = await self._read_watermark()
        if (cursor.epoch, cursor.xid) >= (mark.epoch, mark.next_xid):
            raise ServiceError(Reason.CURSOR_INVALID)
        self._refuse_expired(cursor, mark)
        if 0 < cursor.epoch < mark.epoch:
            t = self._events
            last = select(t.c.xid, t.c.event_id).where(t.c.epoch == cursor.epoch)
            async with self._database.single_read() as tx:
                row = await first(tx, last.order_by(t.c.xid.desc(), t.c.event_id.desc()).limit(1))
            # Restored from a dump that is older than the reader: what it has seen since never happened here.
            if row and (int(row.xid), row.event_id) < (cursor.xid, cursor.event_id):
                raise ServiceError(Reason.CURSOR_EXPIRED)

    async def watermark(self) -> Watermark:
        """At most FRESH old, so that a hundred streams ask the database no more often than a few."""
        if self._last is None or time.monotonic() - self._read_at > FRESH:
            return await self._read_watermark()
        return self._last

    async def page(self, after: Cursor, below: Watermark) -> list[Row]:
        """The next PAGE events, fewer if there are no more below the watermark; CURSOR_EXPIRED if some are gone."""
        self._refuse_expired(after, below)
        t = self._events
        order = t.c.epoch, t.c.xid, t.c.event_id
        epoch, xid, event_id = after.place
        place = tuple_(literal(epoch, Integer), _xid(xid), literal(event_id, BigInteger))
        statement = select(t).where(tuple_(*order) > place, self._below(below)).order_by(*order).limit(PAGE)
        async with self._database.single_read() as tx:
            return await many(tx, statement)

    def _refuse_expired(self, cursor: Cursor, mark: Watermark) -> None:
        if cursor.time < mark.time - self._keep:
            raise ServiceError(Reason.CURSOR_EXPIRED)

    def _below(self, mark: Watermark) -> ColumnElement[bool]:
        t = self._events
        return tuple_(t.c.epoch, t.c.xid) < tuple_(literal(mark.epoch, Integer), _xid(mark.xid))

    async def _read_watermark(self) -> Watermark:
        snapshot = func.pg_current_snapshot()
        statement = select(
            self._epochs.c.epoch,
            cast(func.pg_snapshot_xmin(snapshot), Text).label("xid"),
            cast(func.pg_snapshot_xmax(snapshot), Text).label("next_xid"),
            func.now().label("time"),
        )
        async with self._database.single_read() as tx:
            row = await one(tx, statement)
        mark = Watermark(row.epoch, int(row.xid), int(row.next_xid), row.time)
        self._note(mark)
        return mark

    def _note(self, mark: Watermark) -> None:
        now = time.monotonic()
        if self._last is None or mark.xid != self._last.xid or mark.xid == mark.next_xid:
            self._xid_since = now
        elif now - self._xid_since > LAG:
            log.warning("a long transaction holds all events back", xid=mark.xid, seconds=round(now - self._xid_since))
            self._xid_since = now  # the next line after as long again
        self._last, self._read_at = mark, now


async def raise_epoch(tx: Tx, events: Table, epochs: Table) -> None:
    """Begin a new epoch if an event bears a transaction number that is still to come: so it is after a restore.

    A dump brings its events with their numbers into a database that counts anew. The lock waits for everybody who
    writes events and lets nobody begin: no event can get the old epoch once the new one is there.
    """
    future = exists().where(
        events.c.epoch == epochs.c.epoch, events.c.xid >= func.pg_snapshot_xmax(func.pg_current_snapshot())
    )
    if await first(tx, select(epochs.c.epoch).where(future)):
        await tx.execute(text(f'LOCK TABLE "{events.name}" IN SHARE ROW EXCLUSIVE MODE'))
        raised = epochs.update().where(future).values(epoch=epochs.c.epoch + 1).returning(epochs.c.epoch)
        if row := await first(tx, raised):
            log.warning("transaction numbers began anew, so the events have a new epoch", epoch=row.epoch)


def _xid(number: int) -> ColumnElement[int]:
    """psycopg has no xid8: it goes as text."""
    return cast(literal(str(number), Text), Xid8)
