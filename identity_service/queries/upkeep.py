"""SQL of upkeep: what may be cleared away, and the absolute limit that the triggers are told."""

from datetime import timedelta

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from identity_service.tables import ended_sessions, request_results, session_limits, sessions
from shared.database import Tx
from shared.request_results import no_longer_needed
from shared.tidy import Useless

USELESS: Useless = {
    sessions: sessions.c.expire < func.now(),
    # Sids that no Express app can still be about to write.
    ended_sessions: ended_sessions.c.keep_until < func.now(),
    request_results: no_longer_needed(request_results),
}


async def update_session_limits(tx: Tx, *, absolute: timedelta) -> None:
    """What the triggers apply to the sessions that Express apps make; written only if it is another."""
    limit = insert(session_limits).values(absolute=absolute)
    limit = limit.on_conflict_do_update(
        index_elements=[session_limits.c.only_row],
        set_={"absolute": absolute},
        where=session_limits.c.absolute != absolute,
    )
    await tx.execute(limit)
