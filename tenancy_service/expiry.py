"""When a membership or a role on a project ends: in the future, and not later by one's own hand."""

from datetime import datetime
from uuid import UUID

from shared.caller import Caller
from shared.database import Tx, is_in_future
from shared.errors import ServiceError
from shared.reasons import Reason
from tenancy_service.permissions import OrgRole, ProjectRole


async def refuse_past(tx: Tx, expire_time: datetime | None) -> None:
    if expire_time is not None and not await is_in_future(tx, expire_time):
        raise ServiceError(Reason.BAD_REQUEST, fields=(("expire_time", "a time in the future is needed"),))


def refuse_prolonging(
    caller: Caller, user_id: UUID, role: OrgRole | ProjectRole, before: datetime | None, after: datetime | None
) -> None:
    """Nobody raises themselves: a role that ends later, or never (None), is above the one they hold."""
    is_longer = before is not None and (after is None or after > before)
    if is_longer and caller.is_user(user_id):
        raise ServiceError(Reason.ROLE_ABOVE_CALLER, role=role.name)
