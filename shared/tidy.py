"""Clear away rows that have had their time, in small batches, every quarter of an hour."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from secrets import SystemRandom
from typing import TypeAlias

from sqlalchemy import ColumnElement, Table, delete, select, tuple_

from shared.database import Database, Tx
from shared.log import log

EVERY = 900.0  # seconds, times 0.5 to 1.5, so that workers do not march in step
BATCH = 1000

Clearing: TypeAlias = Callable[[Database], Awaitable[None]]
# What may go: a table, and the condition that says which of its rows.
Useless: TypeAlias = Mapping[Table, ColumnElement[bool]]


async def keep_tidy(database: Database, useless: Useless, *others: Clearing) -> None:
    """Runs until cancelled; a failure is logged and the next round tries again.

    `others` clear away what one condition does not say.
    """
    clearings: tuple[Clearing, ...] = (functools.partial(tidy, useless=useless), *others)
    while True:
        await asyncio.sleep(EVERY * SystemRandom().uniform(0.5, 1.5))
        for clear in clearings:
            try:
                await clear(database)
            except Exception as error:
                log.warning("could not tidy up", exc_info=error)


async def tidy(database: Database, useless: Useless) -> None:
    """Each batch is a transaction of its own, so that no lock is held for long."""
    for table, condition in useless.items():
        deleted = BATCH
        while deleted == BATCH:
            async with database.transaction() as tx:
                deleted = await delete_some(tx, table, condition)


async def delete_some(tx: Tx, table: Table, condition: ColumnElement[bool]) -> int:
    """How many rows it were. What somebody else is just writing is left to the next time."""
    key = tuple_(*table.primary_key.columns)
    some = select(*table.primary_key.columns).where(condition).limit(BATCH).with_for_update(skip_locked=True)
    # Materialized, so that the limit is applied once whatever the plan.
    some_keys = some.cte("some").prefix_with("MATERIALIZED", dialect="postgresql")
    return (await tx.execute(delete(table).where(key.in_(select(*some_keys.columns))))).rowcount
