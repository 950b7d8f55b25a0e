"""SQL of mails to be sent, in the `table` of a service. Who takes one has it until its next attempt is due: that is
the lease.

Besides these columns the table has `sent_time` and `create_time`, and those that say what the mail is about.
"""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Table, and_, delete, func, insert, select, tuple_, update

from shared.database import Row, Tx, first

FIRST_WAIT, LONGEST_WAIT = 30, 3600  # seconds
DOUBLINGS = 7  # beyond the longest wait; an endless power would overflow
SENT_MAILS_DAYS = 7
MOST_COUNTED = 10_000


async def insert_outbox_email(
    tx: Tx,
    table: Table,
    *,
    email_id: UUID,
    template: str,
    address: str,
    about: Mapping[str, object],
    shown: Mapping[str, object],
) -> None:
    """`about` are the table's own columns, `shown` is what the template may show: no secrets."""
    values = {"email_id": email_id, "template": template, "address": address, **about, "shown": dict(shown)}
    await tx.execute(insert(table).values(**values))


async def update_due_email(tx: Tx, table: Table) -> Row | None:
    """Take the mail that has been due longest; None if none is. Others pass over it until the time that is set."""
    t, key = table, table.primary_key.columns
    due = (
        select(*key)
        .where(t.c.sent_time.is_(None), t.c.dead_time.is_(None), t.c.next_attempt_time <= func.now())
        .order_by(t.c.next_attempt_time)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    seconds = func.least(FIRST_WAIT * func.power(2, func.least(t.c.attempts, DOUBLINGS)), LONGEST_WAIT)
    wait = func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    statement = update(t).where(tuple_(*key) == due.scalar_subquery())
    return await first(
        tx, statement.values(attempts=t.c.attempts + 1, next_attempt_time=func.now() + wait).returning(t)
    )


async def update_sent_email(tx: Tx, table: Table, *, row: Row) -> None:
    await tx.execute(update(table).where(_is(table, row)).values(sent_time=func.now()))


async def update_failed_email(tx: Tx, table: Table, *, row: Row, error: str, is_dead: bool) -> None:
    """A dead one is kept for the operator, any other is due again when its lease ends."""
    values = {"last_error": error, **({"dead_time": func.now()} if is_dead else {})}
    await tx.execute(update(table).where(_is(table, row)).values(**values))


async def delete_outbox_email(tx: Tx, table: Table, *, row: Row) -> None:
    """One that there is nothing to send for."""
    await tx.execute(delete(table).where(_is(table, row)))


async def count_waiting_emails(tx: Tx, table: Table) -> int:
    """Up to MOST_COUNTED; the index of those that are due holds no others."""
    waiting = select(1).select_from(table).where(table.c.sent_time.is_(None), table.c.dead_time.is_(None))
    counted = select(func.count()).select_from(waiting.limit(MOST_COUNTED).subquery())
    return int((await tx.execute(counted)).scalar_one())


def sent_long_ago(table: Table) -> ColumnElement[bool]:
    return table.c.sent_time < func.now() - timedelta(days=SENT_MAILS_DAYS)


def _is(table: Table, row: Row) -> ColumnElement[bool]:
    return and_(*(column == row._mapping[column.name] for column in table.primary_key.columns))
