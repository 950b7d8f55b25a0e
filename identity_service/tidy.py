"""Clear away expired sessions and what else has had its time, every quarter of an hour."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from secrets import SystemRandom

from identity_service.queries import upkeep
from shared.database import Database
from shared.log import log

EVERY = 900.0  # seconds, times 0.5 to 1.5, so that workers do not march in step
BATCH = 1000
REQUEST_RESULTS_KEPT = timedelta(hours=24)

Deletion = Callable[..., Awaitable[int]]


async def keep_tidy(database: Database) -> None:
    """Runs until cancelled; a failure is logged and the next round tries again."""
    while True:
        await asyncio.sleep(EVERY * SystemRandom().uniform(0.5, 1.5))
        try:
            await tidy(database)
        except Exception as error:
            log.warning("could not tidy up", exc_info=error)


async def tidy(database: Database) -> None:
    """In batches of their own transactions, so that no lock is held for long."""
    await _until_none_is_left(database, upkeep.delete_expired_sessions)
    await _until_none_is_left(database, upkeep.delete_ended_sessions)
    await _until_none_is_left(database, upkeep.delete_request_results, older_than=REQUEST_RESULTS_KEPT)


async def _until_none_is_left(database: Database, deletion: Deletion, **values: timedelta) -> None:
    deleted = BATCH
    while deleted == BATCH:
        async with database.transaction() as tx:
            deleted = await deletion(tx, limit=BATCH, **values)
