"""SQL of events."""

from uuid import UUID

from sqlalchemy import insert

from shared.database import Tx
from tenancy_service.tables import events


async def insert_event(
    tx: Tx,
    *,
    type_: str,
    organization_id: UUID,
    project_id: UUID | None = None,
    user_id: UUID | None = None,
    message: bytes | None = None,
) -> None:
    statement = insert(events).values(
        type=type_, organization_id=organization_id, project_id=project_id, user_id=user_id, message=message
    )
    await tx.execute(statement)
