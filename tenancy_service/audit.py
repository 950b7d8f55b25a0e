"""Write down who did what in an organization, from where, in the transaction that does it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.caller import current_caller
from shared.database import Tx
from shared.origin import Origin
from tenancy_service.queries import audit_events


class Action(StrEnum):
    """What `AuditEvent.action` can be. Part of the contract: never renamed."""

    ORGANIZATION_CREATED = "ORGANIZATION_CREATED"
    ORGANIZATION_UPDATED = "ORGANIZATION_UPDATED"
    ORGANIZATION_DELETED = "ORGANIZATION_DELETED"
    ORGANIZATION_UNDELETED = "ORGANIZATION_UNDELETED"
    OWNERSHIP_TRANSFERRED = "OWNERSHIP_TRANSFERRED"
    OWNER_SUCCEEDED = "OWNER_SUCCEEDED"
    OWNER_LOST = "OWNER_LOST"
    OWNER_RESTORED = "OWNER_RESTORED"
    MEMBER_ADDED = "MEMBER_ADDED"
    MEMBER_UPDATED = "MEMBER_UPDATED"
    MEMBER_REMOVED = "MEMBER_REMOVED"
    MEMBER_LEFT = "MEMBER_LEFT"
    INVITATION_CREATED = "INVITATION_CREATED"
    INVITATION_RESENT = "INVITATION_RESENT"
    INVITATION_REVOKED = "INVITATION_REVOKED"
    INVITATION_ACCEPTED = "INVITATION_ACCEPTED"
    INVITATION_DECLINED = "INVITATION_DECLINED"
    PROJECT_CREATED = "PROJECT_CREATED"
    PROJECT_UPDATED = "PROJECT_UPDATED"
    PROJECT_DELETED = "PROJECT_DELETED"
    PROJECT_UNDELETED = "PROJECT_UNDELETED"
    PROJECT_ROLE_SET = "PROJECT_ROLE_SET"
    PROJECT_ROLE_CLEARED = "PROJECT_ROLE_CLEARED"


# Of what follows from an event of identity, that nobody called for.
OURSELVES = "tenancy"
NO_CALL = Origin(None, "", None)


async def record(
    tx: Tx,
    origin: Origin,
    action: Action,
    organization_id: UUID,
    *,
    project_id: UUID | None = None,
    target_user_id: UUID | None = None,
    invitation_id: UUID | None = None,
    expire_time: datetime | None = None,
    **details: str | int | bool | list[str],
) -> None:
    """`details` never hold a secret, a name or an address; roles are written as `before` and `after`.

    `expire_time`, when what was granted ends, becomes a detail too.
    """
    caller = current_caller()
    if expire_time is not None:
        details["expire_time"] = expire_time.isoformat()
    await audit_events.insert_audit_event(
        tx,
        organization_id=organization_id,
        new={
            "audit_event_id": uuid7(),
            "action": action,
            "project_id": project_id,
            "target_user_id": target_user_id,
            "invitation_id": invitation_id,
            "actor_user_id": caller.person.user_id if caller.person else None,
            "actor_service": OURSELVES if origin is NO_CALL else caller.service,
            "session_id": caller.person.session_id if caller.person else None,
            "ip": origin.ip,
            "user_agent": origin.user_agent,
            "request_id": origin.request_id,
            "details": details,
        },
    )
