"""SQL of events, and of all that begins a stream with a snapshot: what is deleted or has expired is left out."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, Uuid, and_, insert, literal, select, tuple_

from shared.database import Row, Tx, many
from tenancy_service.queries.organization_members import active
from tenancy_service.queries.project_members import in_force
from tenancy_service.tables import events
from tenancy_service.tables import organization_members as m
from tenancy_service.tables import organizations as o
from tenancy_service.tables import project_members as pm
from tenancy_service.tables import projects as p


async def insert_event(
    tx: Tx,
    *,
    type_: str,
    organization_id: UUID,
    project_id: UUID | None = None,
    user_id: UUID | None = None,
    message: bytes | None = None,
) -> None:
    statement = insert(events).values(
        type=type_, organization_id=organization_id, project_id=project_id, user_id=user_id, message=message
    )
    await tx.execute(statement)


async def list_organizations_after(tx: Tx, *, after: UUID, limit: int) -> list[Row]:
    """Over all tenants, by id."""
    return await _page(tx, select(o).where(o.c.delete_time.is_(None)), [o.c.organization_id], (after,), limit)


async def list_members_after(tx: Tx, *, organization_id: UUID, after: UUID, limit: int) -> list[Row]:
    statement = select(m).where(m.c.organization_id == organization_id, active())
    return await _page(tx, statement, [m.c.user_id], (after,), limit)


async def list_projects_after(tx: Tx, *, organization_id: UUID, after: UUID, limit: int) -> list[Row]:
    statement = select(p).where(p.c.organization_id == organization_id, p.c.delete_time.is_(None))
    return await _page(tx, statement, [p.c.project_id], (after,), limit)


async def list_overrides_after(tx: Tx, *, organization_id: UUID, after: tuple[UUID, UUID], limit: int) -> list[Row]:
    """By project and user, each with the member's `organization_role`."""
    member = and_(m.c.organization_id == pm.c.organization_id, m.c.user_id == pm.c.user_id, active())
    project = and_(
        p.c.organization_id == pm.c.organization_id, p.c.project_id == pm.c.project_id, p.c.delete_time.is_(None)
    )
    statement = (
        select(pm, m.c.role.label("organization_role"))
        .join(m, member)
        .join(p, project)
        .where(pm.c.organization_id == organization_id, pm.c.role.is_not(None), in_force())
    )
    return await _page(tx, statement, [pm.c.project_id, pm.c.user_id], after, limit)


async def _page(tx: Tx, statement: Select[Any], key: list[Any], after: tuple[UUID, ...], limit: int) -> list[Row]:
    place = tuple_(*(literal(each, Uuid) for each in after))
    return await many(tx, statement.where(tuple_(*key) > place).order_by(*key).limit(limit))
