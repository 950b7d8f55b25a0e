"""SQL of the audit."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, insert

from identity_service.tables import audit_events
from shared.audit_trail import newest_first
from shared.database import Row, Tx, many_by_filter


async def insert_audit_events(tx: Tx, *, new: Sequence[Mapping[str, object]]) -> None:
    """Each with all columns but create_time; none is fine."""
    if new:
        await tx.execute(insert(audit_events), list(new))


async def list_audit_events(
    tx: Tx, *, user_id: UUID | None, condition: ColumnElement[bool] | None, before: UUID | None, limit: int
) -> list[Row]:
    """Newest first, of one user or of all; `before` is the last audit_event_id of a page."""
    of_user = None if user_id is None else audit_events.c.user_id == user_id
    return await many_by_filter(tx, newest_first(audit_events, of_user, condition, before=before, limit=limit))
