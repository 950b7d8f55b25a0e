"""SQL of previews: the roles that a change may touch, each as the role table takes them.

Rows: user_id, organization_role, project_id, override, default_project_role; without a project or an override, None.
A deleted organization has no rows, a deleted project no project_id.
"""

from uuid import UUID

from sqlalchemy import ColumnElement, and_, null, select

from shared.database import Row, Tx, many
from tenancy_service.queries.organization_members import active
from tenancy_service.queries.project_members import in_force
from tenancy_service.tables import organization_members as m
from tenancy_service.tables import organizations as o
from tenancy_service.tables import project_members as pm
from tenancy_service.tables import projects as p


async def list_roles_of_people(tx: Tx, *, organization_id: UUID, user_ids: tuple[UUID, ...]) -> list[Row]:
    """One for each of these members and each project; without projects one for each member."""
    return await _roles_on_projects(tx, organization_id, m.c.user_id.in_(user_ids))


async def list_roles_on_project(
    tx: Tx, *, organization_id: UUID, project_id: UUID, user_ids: tuple[UUID, ...]
) -> list[Row]:
    """One for each member, or with `user_ids` for each of these."""
    people = (m.c.user_id.in_(user_ids),) if user_ids else ()
    return await _roles_on_projects(tx, organization_id, *people, project_id=project_id)


async def list_roles_of_members(tx: Tx, *, organization_id: UUID) -> list[Row]:
    """One for each member, without projects."""
    nothing = null().label("project_id"), null().label("override")
    statement = select(m.c.user_id, m.c.role.label("organization_role"), *nothing, o.c.default_project_role)
    statement = statement.join(o, o.c.organization_id == m.c.organization_id)
    return await many(tx, statement.where(m.c.organization_id == organization_id, active(), o.c.delete_time.is_(None)))


async def _roles_on_projects(
    tx: Tx, organization_id: UUID, *people: ColumnElement[bool], project_id: UUID | None = None
) -> list[Row]:
    there = [p.c.organization_id == m.c.organization_id, p.c.delete_time.is_(None)]
    if project_id is not None:
        there.append(p.c.project_id == project_id)
    theirs = and_(
        pm.c.organization_id == m.c.organization_id,
        pm.c.project_id == p.c.project_id,
        pm.c.user_id == m.c.user_id,
        in_force(),
    )
    statement = (
        select(
            m.c.user_id,
            m.c.role.label("organization_role"),
            p.c.project_id,
            pm.c.role.label("override"),
            o.c.default_project_role,
        )
        .join(o, o.c.organization_id == m.c.organization_id)
        .outerjoin(p, and_(*there))
        .outerjoin(pm, theirs)
        .where(m.c.organization_id == organization_id, active(), o.c.delete_time.is_(None), *people)
    )
    return await many(tx, statement)
