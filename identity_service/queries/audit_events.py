"""SQL of the audit."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, insert

from identity_service.tables import audit_events
from shared.audit_trail import newest_first
from shared.database import Database, Row, Tx, many_by_filter, send

INSERT = """
INSERT INTO audit_events
       (audit_event_id, action, user_id, actor_user_id, actor_service, session_id, ip, user_agent, request_id, details)
VALUES (%(audit_event_id)s, %(action)s, %(user_id)s, %(actor_user_id)s, %(actor_service)s, %(session_id)s, %(ip)s::inet,
        %(user_agent)s, %(request_id)s, %(details)s)"""


async def insert_audit_event(tx: Tx, *, new: Mapping[str, object]) -> None:
    """With all columns but create_time."""
    await send(tx, INSERT, {**new, "details": Jsonb(new["details"])})


async def insert_audit_event_alone(database: Database, *, new: Mapping[str, object]) -> None:
    """As `insert_audit_event`, in a transaction of its own."""
    await database.hot_write((INSERT, {**new, "details": Jsonb(new["details"])}))


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
