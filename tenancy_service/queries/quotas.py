"""SQL of quotas: counts, true until commit under the lock that the caller holds."""

from uuid import UUID

from sqlalchemy import func, select

from shared.database import Tx
from tenancy_service.queries.organization_members import active
from tenancy_service.tables import invitations as i
from tenancy_service.tables import organization_members as m
from tenancy_service.tables import organizations as o
from tenancy_service.tables import projects as p


async def lock_user(tx: Tx, *, user_id: UUID) -> None:
    """Tenancy has no row of a user to lock; until the transaction ends."""
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(str(user_id), 0))))


async def count_owned_organizations(tx: Tx, *, user_id: UUID) -> int:
    statement = (
        select(func.count())
        .select_from(m)
        .join(o, o.c.organization_id == m.c.organization_id)
        .where(m.c.user_id == user_id, m.c.role == "OWNER", active(), o.c.delete_time.is_(None))
    )
    return (await tx.execute(statement)).scalar_one()


async def count_members(tx: Tx, *, organization_id: UUID) -> int:
    statement = select(func.count()).select_from(m).where(m.c.organization_id == organization_id, active())
    return (await tx.execute(statement)).scalar_one()


async def count_projects(tx: Tx, *, organization_id: UUID) -> int:
    mine = (p.c.organization_id == organization_id, p.c.delete_time.is_(None))
    return (await tx.execute(select(func.count()).select_from(p).where(*mine))).scalar_one()


async def count_pending_invitations(tx: Tx, *, organization_id: UUID) -> int:
    mine = (i.c.organization_id == organization_id, i.c.state == "PENDING", i.c.expire_time > func.now())
    return (await tx.execute(select(func.count()).select_from(i).where(*mine))).scalar_one()
