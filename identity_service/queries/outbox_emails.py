"""SQL of mails to be sent. Who takes one has it until its next attempt is due: that is the lease."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from identity_service.tables import outbox_emails
from shared.database import Row, Tx, first

FIRST_WAIT, LONGEST_WAIT = 30, 3600  # seconds
DOUBLINGS = 7  # beyond the longest wait; an endless power would overflow


async def insert_outbox_email(
    tx: Tx,
    *,
    email_id: UUID,
    template: str,
    address: str,
    user_id: UUID | None,
    token_id: UUID | None,
    shown: Mapping[str, str],
) -> None:
    """`shown` is what the template may show: no secrets."""
    statement = insert(outbox_emails).values(
        email_id=email_id, template=template, address=address, user_id=user_id, token_id=token_id, shown=dict(shown)
    )
    await tx.execute(statement)


async def update_due_email(tx: Tx) -> Row | None:
    """Take the mail that has been due longest; None if none is. Others pass over it until the time that is set."""
    t = outbox_emails
    due = (
        select(t.c.email_id)
        .where(t.c.sent_time.is_(None), t.c.dead_time.is_(None), t.c.next_attempt_time <= func.now())
        .order_by(t.c.next_attempt_time)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    seconds = func.least(FIRST_WAIT * func.power(2, func.least(t.c.attempts, DOUBLINGS)), LONGEST_WAIT)
    wait = func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    statement = update(t).where(t.c.email_id == due.scalar_subquery())
    return await first(
        tx, statement.values(attempts=t.c.attempts + 1, next_attempt_time=func.now() + wait).returning(t)
    )


async def update_sent_email(tx: Tx, *, email_id: UUID) -> None:
    await tx.execute(update(outbox_emails).where(outbox_emails.c.email_id == email_id).values(sent_time=func.now()))


async def update_failed_email(tx: Tx, *, email_id: UUID, error: str, is_dead: bool) -> None:
    """A dead one is kept for the operator, any other is due again when its lease ends."""
    values = {"last_error": error, **({"dead_time": func.now()} if is_dead else {})}
    await tx.execute(update(outbox_emails).where(outbox_emails.c.email_id == email_id).values(**values))


async def delete_outbox_email(tx: Tx, *, email_id: UUID) -> None:
    """One that there is nothing to send for."""
    await tx.execute(delete(outbox_emails).where(outbox_emails.c.email_id == email_id))
