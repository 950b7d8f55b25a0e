"""SQL of upkeep: clear away what is of no more use; tell the triggers the absolute limit."""

from datetime import timedelta

from sqlalchemy import ColumnElement, Table, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from identity_service.tables import ended_sessions, request_results, session_limits, sessions
from shared.database import Tx


async def delete_expired_sessions(tx: Tx, *, limit: int) -> int:
    return await _delete(tx, sessions, sessions.c.expire < func.now(), limit)


async def delete_ended_sessions(tx: Tx, *, limit: int) -> int:
    """Sids that no Express app can still be about to write."""
    return await _delete(tx, ended_sessions, ended_sessions.c.keep_until < func.now(), limit)


async def delete_request_results(tx: Tx, *, older_than: timedelta, limit: int) -> int:
    return await _delete(tx, request_results, request_results.c.create_time < func.now() - older_than, limit)


async def update_session_limits(tx: Tx, *, absolute: timedelta) -> None:
    """What the triggers apply to the sessions that Express apps make; written only if it is another."""
    limit = insert(session_limits).values(absolute=absolute)
    limit = limit.on_conflict_do_update(
        index_elements=[session_limits.c.only_row],
        set_={"absolute": absolute},
        where=session_limits.c.absolute != absolute,
    )
    await tx.execute(limit)


async def _delete(tx: Tx, table: Table, useless: ColumnElement[bool], limit: int) -> int:
    """How many rows it were. What somebody else is just writing is left to the next time."""
    key = tuple_(*table.primary_key.columns)
    some = select(*table.primary_key.columns).where(useless).limit(limit).with_for_update(skip_locked=True)
    # Materialized, so that the limit is applied once whatever the plan.
    some_keys = some.cte("some").prefix_with("MATERIALIZED", dialect="postgresql")
    return (await tx.execute(delete(table).where(key.in_(select(*some_keys.columns))))).rowcount
