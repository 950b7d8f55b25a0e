"""SQL of the audit."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, func, insert, select, text
from sqlalchemy.dialects.postgresql import INET

from identity_service.tables import audit_events
from shared.database import Row, Tx, many

SHOWN = [func.host(column).label("ip") if column.name == "ip" else column for column in audit_events.c]


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
    # Which index is the best depends on the values: a plan for all does not know a rare action from a common one.
    await tx.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    return await many(tx, statement)
