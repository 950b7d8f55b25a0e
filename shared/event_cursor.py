"""Cursors of event streams: how far a reader has come, as opaque text.

A cursor is no secret and grants nothing: whoever may read the stream may read all of it. Its content may be anything,
so it is checked here for its form and bounds, and against the database where the stream begins.
"""

import base64
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from shared.errors import ServiceError
from shared.reasons import Reason
from shared.timestamps import EPOCH

LOG, SNAPSHOT = 1, 2  # the first byte: what follows
PLACE = struct.Struct(">BiQqq")  # kind, epoch, xid, event_id, microseconds since 1970
MOST_PLACES = 3
MOST_CHARACTERS = 110
MICROSECOND = timedelta(microseconds=1)

# How far a snapshot has come: the last key of what it walks through, as many ids as the stream says.
Place: TypeAlias = tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Cursor:
    """All events up to the one at (epoch, xid, event_id) are handled, and at `time` that was up to date.

    Always the place of an event that was committed (or of none yet: zeros), never a bare transaction number:
    after a crash PostgreSQL may give the number of a transaction that was rolled back to another one.
    `snapshot` is the place in a snapshot that is not over: the events come when it is.
    """

    epoch: int
    xid: int
    event_id: int
    time: datetime
    snapshot: Place | None = None

    @property
    def place(self) -> tuple[int, int, int]:
        return self.epoch, self.xid, self.event_id

    def encode(self) -> str:
        kind = LOG if self.snapshot is None else SNAPSHOT
        data = PLACE.pack(kind, *self.place, (self.time - EPOCH) // MICROSECOND)
        data += b"".join(each.bytes for each in self.snapshot or ())
        return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> Cursor:
    """CURSOR_INVALID for whatever `encode` cannot have written."""
    try:
        cursor = _decode(text)
    except (ValueError, OverflowError, struct.error):
        raise ServiceError(Reason.CURSOR_INVALID) from None
    # Spare bits, a time before 1970: each cursor has one spelling.
    if cursor.encode() != text or min(*cursor.place) < 0 or cursor.time < EPOCH:
        raise ServiceError(Reason.CURSOR_INVALID)
    return cursor


def _decode(text: str) -> Cursor:
    if len(text) > MOST_CHARACTERS:
        raise ValueError("too long")
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    kind, epoch, xid, event_id, microseconds = PLACE.unpack(data[: PLACE.size])
    rest = data[PLACE.size :]
    if kind not in (LOG, SNAPSHOT) or (kind == LOG) != (rest == b"") or len(rest) > 16 * MOST_PLACES:
        raise ValueError("no such kind")
    time = EPOCH + timedelta(microseconds=microseconds)
    place = tuple(UUID(bytes=rest[at : at + 16]) for at in range(0, len(rest), 16))
    return Cursor(epoch, xid, event_id, time, place or None)
