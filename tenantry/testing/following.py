"""Wait until tenancy has applied what identity has told, as it happens a moment later."""

import asyncio
import time

import psycopg

from shared import event_cursor
from tenantry.testing.pair import Pair

LOOK_EVERY = 0.02
SECONDS = 30.0
LAST_EVENT = """SELECT epoch, xid::text::bigint, event_id FROM events
                 ORDER BY epoch DESC, xid DESC, event_id DESC LIMIT 1"""
LAST_CHECK = "SELECT coalesce(max(check_id), 0) FROM users_to_check"
FOLLOWED = "SELECT cursor, (SELECT count(*) FROM users_to_check WHERE check_id <= %s) FROM identity_cursor"


async def caught_up(pair: Pair, *, checks: bool = False, seconds: float = SECONDS) -> None:
    """All events committed by now are applied; with `checks` identity was also asked about all who were to be."""
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url, autocommit=True) as identity:
        last = await (await identity.execute(LAST_EVENT)).fetchone() or (0, 0, 0)
    deadline = time.monotonic() + seconds
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url, autocommit=True) as tenancy:
        last_check = await (await tenancy.execute(LAST_CHECK)).fetchone()
        while True:
            [cursor, waiting] = await (await tenancy.execute(FOLLOWED, last_check)).fetchone() or (None, 0)
            if is_past(cursor, last) and not (checks and waiting):
                return
            assert time.monotonic() < deadline, f"{cursor} is not past {last}, {waiting} checks are left"
            await asyncio.sleep(LOOK_EVERY)


def is_past(cursor: str | None, last: tuple[int, ...]) -> bool:
    """A cursor from within a snapshot is not: the events come afterwards."""
    if cursor is None:
        return False
    stored = event_cursor.decode(cursor)
    return stored.snapshot is None and stored.place >= last
