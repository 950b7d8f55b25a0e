"""Begin a session in the transaction that has decided to: the row, its record and event, and the limit per user."""

from collections.abc import Sequence
from uuid import UUID

from identity_service import audit, publish, tokens
from identity_service.audit import Action
from identity_service.origin import Origin
from identity_service.queries import sessions
from identity_service.settings import Settings
from shared.database import Row, Tx


async def begin_session(
    tx: Tx,
    settings: Settings,
    origin: Origin,
    user_id: UUID,
    amr: Sequence[str],
    *,
    action: Action = Action.SESSION_CREATED,
    device_name: str = "",
) -> tuple[str, Row]:
    """The token and the session; the user's row is locked by the caller. Beyond SESSIONS_PER_USER the oldest end."""
    sid = tokens.make_sid()
    row = await sessions.insert_session(
        tx,
        sid=sid,
        user_id=user_id,
        idle=settings.idle,
        absolute=settings.absolute,
        ip=origin.ip,
        user_agent=origin.user_agent,
        amr=amr,
        device_name=device_name,
    )
    await audit.record(tx, origin, action, user_id, session_id=row.session_id, amr=list(amr))
    await publish.sessions_changed(tx, "SESSION_CREATED", user_id, [row.session_id])
    ended = await sessions.delete_oldest_sessions(
        tx, user_id=user_id, keep=settings.sessions_per_user, begun=row.session_id
    )
    await publish.sessions_changed(tx, "SESSION_ENDED", user_id, ended)
    return tokens.sign(sid, settings.secret_bytes[0]), row
