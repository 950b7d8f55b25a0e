"""SQL of events, and of the accounts that begin a stream with a snapshot."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import insert, select

from identity_service.tables import events, users
from shared.database import Row, Tx, many, send

INSERT_OF_SESSIONS = """
INSERT INTO events (type, user_id, session_id)
SELECT %(type)s, %(user_id)s, unnest(%(session_ids)s::uuid[])"""

SHOWN = [column for column in users.c if column.name not in ("password_hash", "private_metadata")]


async def insert_events(tx: Tx, *, new: Sequence[Mapping[str, object]]) -> None:
    """Each with type, user_id and user_message; none is fine."""
    if new:
        await tx.execute(insert(events), list(new))


async def insert_session_events(tx: Tx, *, type_: str, user_id: UUID, session_ids: Sequence[UUID]) -> None:
    """One for each session, in their order; none is fine."""
    if session_ids:
        await send(tx, INSERT_OF_SESSIONS, {"type": type_, "user_id": user_id, "session_ids": list(session_ids)})


async def list_users_after(tx: Tx, *, after: UUID, limit: int) -> list[Row]:
    """Those that are not deleted, by id; without what no reader of events sees."""
    statement = select(*SHOWN).where(users.c.user_id > after, users.c.state != "DELETED")
    return await many(tx, statement.order_by(users.c.user_id).limit(limit))
