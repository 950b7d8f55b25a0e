"""SQL of the audit."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import ColumnElement, insert

from shared.audit_trail import newest_first
from shared.database import Row, Tx, many_by_filter
from tenancy_service.tables import audit_events


async def insert_audit_event(tx: Tx, *, organization_id: UUID, new: Mapping[str, object]) -> None:
    """`new` has all other columns but create_time."""
    await tx.execute(insert(audit_events).values(organization_id=organization_id, **new))


async def list_audit_events(
    tx: Tx, *, organization_id: UUID | None, condition: ColumnElement[bool] | None, before: UUID | None, limit: int
) -> list[Row]:
    """Newest first, of one organization, deleted ones too, or of all; `before` ends the page before."""
    here = None if organization_id is None else audit_events.c.organization_id == organization_id
    return await many_by_filter(tx, newest_first(audit_events, here, condition, before=before, limit=limit))
