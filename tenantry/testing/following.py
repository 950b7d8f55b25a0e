"""Wait until tenancy has applied what identity has told, as it happens a moment later."""

import asyncio

import psycopg

from shared import event_cursor
from tenantry.testing.pair import Pair

LOOK_EVERY = 0.02
SECONDS = 30.0
LAST_EVENT = """SELECT epoch, xid::text::bigint, event_id FROM events
                 ORDER BY epoch DESC, xid DESC, event_id DESC LIMIT 1"""
CURSOR = "SELECT cursor FROM identity_cursor"
CHECKS = "SELECT count(*) FROM users_to_check WHERE check_id <= %s"
LAST_CHECK = "SELECT coalesce(max(check_id), 0) FROM users_to_check"


async def caught_up(pair: Pair, *, checks: bool = False, seconds: float = SECONDS) -> None:
    """All events committed by now are applied; with `checks` identity was also asked about all who were to be."""
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url, autocommit=True) as identity:
        last = await (await identity.execute(LAST_EVENT)).fetchone() or (0, 0, 0)
    async with (
        await psycopg.AsyncConnection.connect(pair.tenancy.database_url, autocommit=True) as tenancy,
        asyncio.timeout(seconds),
    ):
        while not await _has_applied(tenancy, last):  # noqa: ASYNC110 - the database knows
            await asyncio.sleep(LOOK_EVERY)
        [last_check] = await (await tenancy.execute(LAST_CHECK)).fetchone() or (0,)
        while checks and await (await tenancy.execute(CHECKS, (last_check,))).fetchone() != (0,):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY)


async def _has_applied(tenancy: "psycopg.AsyncConnection[tuple[object, ...]]", last: tuple[object, ...]) -> bool:
    [cursor] = await (await tenancy.execute(CURSOR)).fetchone() or (None,)
    if not isinstance(cursor, str):
        return False
    stored = event_cursor.decode(cursor)
    return stored.snapshot is None and stored.place >= last
