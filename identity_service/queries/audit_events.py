"""SQL of the audit."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert, select

from identity_service.tables import audit_events
from shared.database import Row, Tx, many_by_filter

SHOWN = [func.host(column).label("ip") if column.name == "ip" else column for column in audit_events.c]


async def insert_audit_events(tx: Tx, *, new: Sequence[Mapping[str, object]]) -> None:
    """Each with all columns but create_time; none is fine."""
    if new:
        await tx.execute(insert(audit_events), list(new))


async def list_audit_events(
    tx: Tx, *, user_id: UUID | None, condition: ColumnElement[bool] | None, before: UUID | None, limit: int
) -> list[Row]:
    """Newest first, of one user or of all; `before` is the last audit_event_id of a page."""
    key = audit_events.c.audit_event_id
    statement = select(*SHOWN).order_by(key.desc()).limit(limit)
    of_user = None if user_id is None else audit_events.c.user_id == user_id
    for each in (of_user, condition, None if before is None else key < before):
        if each is not None:
            statement = statement.where(each)
    return await many_by_filter(tx, statement)
