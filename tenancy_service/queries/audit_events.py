"""SQL of the audit."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import insert

from shared.database import Tx
from tenancy_service.tables import audit_events


async def insert_audit_event(tx: Tx, *, organization_id: UUID, new: Mapping[str, object]) -> None:
    """`new` has all other columns but create_time."""
    await tx.execute(insert(audit_events).values(organization_id=organization_id, **new))
