"""What begins a session, also in the place of another one."""

from collections.abc import Sequence
from uuid import UUID

from identity_service import audit, tokens
from identity_service.audit import Action
from identity_service.queries import sessions, users
from identity_service.settings import Settings
from shared.caller import Person
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.origin import Origin
from shared.reasons import Reason


def new_session(
    settings: Settings,
    origin: Origin,
    user_id: UUID,
    amr: Sequence[str],
    *,
    action: Action = Action.SESSION_CREATED,
    device_name: str = "",
) -> tuple[str, dict[str, object]]:
    """Its token, and the values of the statement that begins it. Beyond SESSIONS_PER_USER the oldest end."""
    sid = tokens.make_sid()
    new = {
        **audit.event(origin, action, user_id),
        "sid": sid,
        "idle": settings.idle,
        "absolute": settings.absolute,
        "amr": list(amr),
        "device_name": device_name,
        "keep": settings.sessions_per_user,
    }
    return tokens.sign(sid, settings.secret_bytes[0]), new


async def session_to_replace(tx: Tx, person: Person, checked: Row) -> Row:
    """This call's session, still good, of the user whose password was checked; the user is locked.

    SESSION_INVALID when either has ended meanwhile, CONFLICT when what was checked has changed.
    """
    user = await users.lock_user(tx, user_id=person.user_id)
    session = await sessions.get_session(tx, user_id=person.user_id, session_id=person.session_id)
    if user is None or user.state != "ACTIVE" or session is None:
        raise ServiceError(Reason.SESSION_INVALID)
    if user.password_hash != checked.password_hash or user.has_second_factor != checked.has_second_factor:
        raise ServiceError(Reason.CONFLICT)
    return session
