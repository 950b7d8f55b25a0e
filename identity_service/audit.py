"""Write down who did what to whose account, from where, in the transaction that does it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from uuid import UUID

from uuid_utils.compat import uuid7

from identity_service.queries import audit_events
from shared.caller import current_caller
from shared.database import Tx
from shared.origin import Origin


class Action(StrEnum):
    """What `AuditEvent.action` can be. Part of the contract: never renamed."""

    USER_CREATED = "USER_CREATED"
    USER_IMPORTED = "USER_IMPORTED"
    USER_UPDATED = "USER_UPDATED"
    USER_SUSPENDED = "USER_SUSPENDED"
    USER_REACTIVATED = "USER_REACTIVATED"
    USER_DELETED = "USER_DELETED"
    USER_UNDELETED = "USER_UNDELETED"
    EMAIL_VERIFIED = "EMAIL_VERIFIED"
    EMAIL_CHANGE_STARTED = "EMAIL_CHANGE_STARTED"
    EMAIL_CHANGED = "EMAIL_CHANGED"
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105
    PASSWORD_WRONG = "PASSWORD_WRONG"  # noqa: S105
    PASSWORD_RESET_STARTED = "PASSWORD_RESET_STARTED"  # noqa: S105
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105
    SIGN_IN_FAILED = "SIGN_IN_FAILED"
    CODE_WRONG = "CODE_WRONG"
    RECOVERY_CODE_USED = "RECOVERY_CODE_USED"
    SESSION_CREATED = "SESSION_CREATED"
    SESSION_REFRESHED = "SESSION_REFRESHED"
    SESSION_REVOKED = "SESSION_REVOKED"
    SESSIONS_REVOKED = "SESSIONS_REVOKED"
    TOTP_ENROLLED = "TOTP_ENROLLED"
    TOTP_CONFIRMED = "TOTP_CONFIRMED"
    TOTP_REMOVED = "TOTP_REMOVED"
    RECOVERY_CODES_REGENERATED = "RECOVERY_CODES_REGENERATED"


async def record(
    tx: Tx,
    origin: Origin,
    action: Action,
    user_id: UUID | None,
    *,
    session_id: UUID | None = None,
    **details: str | int | list[str],
) -> None:
    """`user_id` says whose account it is about; `details` never hold a secret or an address."""
    await audit_events.insert_audit_event(tx, new=event(origin, action, user_id, session_id, details))


async def record_each(tx: Tx, origin: Origin, action: Action, user_ids: Sequence[UUID]) -> None:
    """The same for many accounts, in one statement."""
    await audit_events.insert_audit_events(tx, new=[event(origin, action, user_id) for user_id in user_ids])


def event(
    origin: Origin,
    action: Action,
    user_id: UUID | None,
    session_id: UUID | None = None,
    details: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Its columns."""
    caller = current_caller()
    return {
        "audit_event_id": uuid7(),
        "action": action.value,
        "user_id": user_id,
        "actor_user_id": caller.person.user_id if caller.person else None,
        "actor_service": caller.service,
        "session_id": session_id or (caller.person.session_id if caller.person else None),
        "ip": origin.ip,
        "user_agent": origin.user_agent,
        "request_id": origin.request_id,
        "details": details or {},
    }
