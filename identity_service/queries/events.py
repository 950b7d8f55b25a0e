"""SQL of events."""

from collections.abc import Mapping, Sequence

from sqlalchemy import insert

from identity_service.tables import events
from shared.database import Tx


async def insert_events(tx: Tx, *, new: Sequence[Mapping[str, object]]) -> None:
    """Each with type, user_id, session_id and user_message; none is fine."""
    if new:
        await tx.execute(insert(events), list(new))
