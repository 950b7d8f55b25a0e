"""SQL of invitations."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, update

from shared.database import Tx
from tenancy_service.tables import invitations as i


async def update_invitations_revoked(
    tx: Tx, *, organization_id: UUID, inviter_user_id: UUID, roles: Sequence[str]
) -> None:
    """Those pending ones that this person sent for one of these roles."""
    theirs = (i.c.organization_id == organization_id, i.c.inviter_user_id == inviter_user_id)
    pending = (i.c.state == "PENDING", i.c.role.in_(roles))
    statement = update(i).where(*theirs, *pending)
    await tx.execute(statement.values(state="REVOKED", version=i.c.version + 1, update_time=func.now()))
