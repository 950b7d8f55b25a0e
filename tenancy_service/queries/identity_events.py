"""SQL of how far identity's events are followed, by whom, and of those that could not be applied."""

from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from shared.database import Row, Tx, first
from tenancy_service.tables import identity_cursor as c
from tenancy_service.tables import set_aside_events as s


def _from_now(seconds: float) -> ColumnElement[object]:
    """Not now(), which is when the transaction began."""
    return func.clock_timestamp() + text("make_interval(secs => :seconds)").bindparams(seconds=seconds)


async def update_identity_holder(tx: Tx, *, holder: UUID, seconds: float) -> Row | None:
    """Take the turn to apply events; None if somebody else has it."""
    free = or_(c.c.holder.is_(None), c.c.hold_until < func.clock_timestamp())
    statement = update(c).where(free).values(holder=holder, hold_until=_from_now(seconds))
    return await first(tx, statement.returning(c.c.cursor))


async def update_identity_holder_gone(tx: Tx, *, holder: UUID) -> None:
    await tx.execute(update(c).where(c.c.holder == holder).values(holder=None, hold_until=None))


async def lock_identity_cursor(tx: Tx, *, holder: UUID, seconds: float) -> bool:
    """Keep the turn, until the transaction ends and so many seconds from now; False if somebody else has taken it."""
    statement = update(c).where(c.c.holder == holder).values(hold_until=_from_now(seconds))
    return await first(tx, statement.returning(c.c.only_row)) is not None


async def update_identity_cursor(tx: Tx, *, cursor: str | None) -> None:
    """In the transaction of the effects, under lock_identity_cursor."""
    await tx.execute(update(c).values(cursor=cursor, update_time=func.now()))


async def insert_set_aside_event(
    tx: Tx, *, event_id: str, type_: str, user_id: str, message: bytes, error: str
) -> None:
    values = {"event_id": event_id, "type": type_, "user_id": user_id, "message": message, "error": error}
    # An identity that was restored from a dump may give an id again.
    statement = insert(s).values(**values).on_conflict_do_update(constraint="pk_set_aside_events", set_=values)
    await tx.execute(statement)


async def lock_set_aside_event(tx: Tx, *, event_id: str) -> Row | None:
    return await first(tx, select(s).where(s.c.event_id == event_id).with_for_update())


async def delete_set_aside_event(tx: Tx, *, event_id: str) -> None:
    await tx.execute(s.delete().where(s.c.event_id == event_id))


async def count_set_aside_events(tx: Tx) -> int:
    return (await tx.execute(select(func.count()).select_from(s))).scalar_one()
