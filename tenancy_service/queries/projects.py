"""SQL of projects. Deleted ones, and those of deleted organizations, are not there for any of these."""

from uuid import UUID

from sqlalchemy import Text, and_, func, insert, null, or_, select, true, update

from shared.database import Row, Tx, first, many, one
from tenancy_service.queries.project_members import in_force
from tenancy_service.tables import organizations as o
from tenancy_service.tables import project_members as pm
from tenancy_service.tables import projects as p


async def insert_project(tx: Tx, *, organization_id: UUID, project_id: UUID, slug: str, display_name: str) -> Row:
    statement = insert(p).values(
        organization_id=organization_id, project_id=project_id, slug=slug, display_name=display_name
    )
    return await one(tx, statement.returning(p))


async def get_project(tx: Tx, *, project_id: UUID) -> Row | None:
    """Without its organization: callers name the project alone, and this is how its tenant is found."""
    statement = (
        select(p, o.c.default_project_role)
        .join(o, o.c.organization_id == p.c.organization_id)
        .where(p.c.project_id == project_id, p.c.delete_time.is_(None), o.c.delete_time.is_(None))
    )
    return await first(tx, statement)


async def list_all_projects(tx: Tx, *, organization_id: UUID, after: UUID | None, limit: int) -> list[Row]:
    """For services and owners: every project, without anybody's override."""
    return await _page(tx, organization_id, after, limit, None, True)


async def list_projects_of_user(
    tx: Tx, *, organization_id: UUID, user_id: UUID, sees_inherited: bool, after: UUID | None, limit: int
) -> list[Row]:
    """Those the member can see, each with their `override`; `sees_inherited` says what it is without one."""
    return await _page(tx, organization_id, after, limit, user_id, sees_inherited)


async def _page(
    tx: Tx, organization_id: UUID, after: UUID | None, limit: int, user_id: UUID | None, sees_inherited: bool
) -> list[Row]:
    statement = select(p).where(p.c.organization_id == organization_id, p.c.delete_time.is_(None))
    if user_id is None:
        statement = statement.add_columns(null().label("override"))
    else:
        mine = and_(
            pm.c.organization_id == p.c.organization_id,
            pm.c.project_id == p.c.project_id,
            pm.c.user_id == user_id,
            in_force(),
        )
        inherited = pm.c.role.is_(None) if sees_inherited else ~true()
        statement = statement.add_columns(pm.c.role.label("override")).outerjoin(pm, mine)
        statement = statement.where(or_(pm.c.role != "NONE", inherited))
    if after is not None:
        statement = statement.where(p.c.project_id > after)
    return await many(tx, statement.order_by(p.c.project_id).limit(limit))


async def update_project(
    tx: Tx, *, organization_id: UUID, project_id: UUID, values: dict[str, str], etag: str | None
) -> Row | None:
    """None if it has another etag by now."""
    statement = update(p).where(p.c.organization_id == organization_id, p.c.project_id == project_id)
    if etag is not None:
        statement = statement.where(p.c.version.cast(Text) == etag)
    statement = statement.values(**values, version=p.c.version + 1, update_time=func.now())
    return await first(tx, statement.returning(p))
