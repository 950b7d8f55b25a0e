"""SQL of upkeep: what may be cleared away, and the absolute limit that the triggers are told."""

from datetime import timedelta

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from identity_service.tables import (
    ended_sessions,
    events,
    known_devices,
    login_throttle,
    one_time_tokens,
    outbox_emails,
    request_results,
    session_limits,
    sessions,
    users,
)
from shared.database import Tx
from shared.mail.outbox_emails import sent_long_ago
from shared.request_results import no_longer_needed
from shared.tidy import Useless

KNOWN_DEVICES_DAYS = 180


def useless(*, events_keep: timedelta) -> Useless:
    """Rows that have had their time. Who deleted an account is past its purge time here, and goes for good."""
    return {
        sessions: sessions.c.expire < func.now(),
        # Sids that no Express app can still be about to write.
        ended_sessions: ended_sessions.c.keep_until < func.now(),
        request_results: no_longer_needed(request_results),
        one_time_tokens: one_time_tokens.c.expire_time < func.now(),
        login_throttle: login_throttle.c.allowed_at < func.now(),
        known_devices: known_devices.c.last_used_time < func.now() - timedelta(days=KNOWN_DEVICES_DAYS),
        outbox_emails: sent_long_ago(outbox_emails),
        events: events.c.create_time < func.now() - events_keep,
        users: users.c.purge_time < func.now(),
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
