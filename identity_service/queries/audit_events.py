"""SQL of the audit."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import bindparam, insert
from sqlalchemy.dialects.postgresql import INET

from identity_service.tables import audit_events
from shared.database import Tx


async def insert_audit_event(
    tx: Tx,
    *,
    audit_event_id: UUID,
    action: str,
    user_id: UUID | None,
    actor_user_id: UUID | None,
    actor_service: str | None,
    session_id: UUID | None,
    ip: str | None,
    user_agent: str,
    request_id: str | None,
    details: Mapping[str, object],
) -> None:
    statement = insert(audit_events).values(
        audit_event_id=audit_event_id,
        action=action,
        user_id=user_id,
        actor_user_id=actor_user_id,
        actor_service=actor_service,
        session_id=session_id,
        ip=bindparam(None, ip, INET),
        user_agent=user_agent,
        request_id=request_id,
        details=dict(details),
    )
    await tx.execute(statement)


async def insert_audit_events(tx: Tx, *, new: Sequence[Mapping[str, object]]) -> None:
    """Many alike but for whom they are about; each has what `insert_audit_event` takes. None is fine."""
    if new:
        await tx.execute(insert(audit_events), list(new))
