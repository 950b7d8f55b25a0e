"""SQL of the roles on projects that invitations carry."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import and_, exists, false, func, insert, literal, select

from shared.database import Row, Tx, many
from tenancy_service.queries.project_members import in_force
from tenancy_service.tables import invitation_project_roles as r
from tenancy_service.tables import invitations as i
from tenancy_service.tables import organizations as o
from tenancy_service.tables import project_members as pm
from tenancy_service.tables import projects as p


async def list_projects_as_seen(
    tx: Tx, *, organization_id: UUID, user_id: UUID | None, project_ids: Collection[UUID]
) -> list[Row]:
    """Those of these projects that are there, each with the `override` of this user, if there is one."""
    theirs = and_(
        pm.c.organization_id == p.c.organization_id,
        pm.c.project_id == p.c.project_id,
        pm.c.user_id == user_id,
        in_force(),
    )
    statement = (
        select(p, o.c.default_project_role, pm.c.role.label("override"))
        .join(o, o.c.organization_id == p.c.organization_id)
        .outerjoin(pm, theirs)
        .where(p.c.organization_id == organization_id, p.c.project_id.in_(project_ids), p.c.delete_time.is_(None))
    )
    return await many(tx, statement.order_by(p.c.project_id))


async def insert_invited_overrides(tx: Tx, *, organization_id: UUID, invitation_id: UUID, user_id: UUID) -> list[Row]:
    """For a new member, set by who invited; projects that are deleted by now are left out."""
    values = {
        "organization_id": r.c.organization_id,
        "project_id": r.c.project_id,
        "user_id": literal(user_id),
        "inherited_from_org": false(),
        "role": r.c.role,
        "set_by_user_id": i.c.inviter_user_id,
        "set_by_service": i.c.inviter_service,
    }
    invited = (
        select(*values.values())
        .join(i, and_(i.c.organization_id == r.c.organization_id, i.c.invitation_id == r.c.invitation_id))
        .join(p, and_(p.c.organization_id == r.c.organization_id, p.c.project_id == r.c.project_id))
        .where(r.c.organization_id == organization_id, r.c.invitation_id == invitation_id, p.c.delete_time.is_(None))
    )
    return await many(tx, insert(pm).from_select(list(values), invited).returning(pm))


async def list_skipped_projects(tx: Tx, *, organization_id: UUID, invitation_id: UUID) -> list[UUID]:
    """Those that were gone when the invitation was accepted, which is its last change."""
    there = exists().where(
        p.c.organization_id == r.c.organization_id,
        p.c.project_id == r.c.project_id,
        func.coalesce(p.c.delete_time > i.c.update_time, True),
    )
    statement = (
        select(r.c.project_id)
        .join(i, and_(i.c.organization_id == r.c.organization_id, i.c.invitation_id == r.c.invitation_id))
        .where(r.c.organization_id == organization_id, r.c.invitation_id == invitation_id, ~there)
    )
    return [row.project_id for row in await many(tx, statement.order_by(r.c.project_id))]
