"""SQL of roles on projects."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from shared.database import Row, Tx, first, many, one
from tenancy_service.queries.organization_members import active
from tenancy_service.tables import organization_members as m
from tenancy_service.tables import project_members as pm

# Who set an override, when, and until when it counts.
SET = (pm.c.update_time, pm.c.expire_time, pm.c.set_by_user_id, pm.c.set_by_service)


def in_force() -> ColumnElement[bool]:
    """Not expired, by the database's clock at this moment; who has an expired override inherits again."""
    return or_(pm.c.expire_time.is_(None), pm.c.expire_time > func.now())


async def get_override(tx: Tx, *, organization_id: UUID, project_id: UUID, user_id: UUID) -> Row | None:
    statement = select(pm.c.role, *SET).where(
        pm.c.organization_id == organization_id, pm.c.project_id == project_id, pm.c.user_id == user_id, in_force()
    )
    return await first(tx, statement)


async def get_project_member(tx: Tx, *, organization_id: UUID, project_id: UUID, user_id: UUID) -> Row | None:
    """An active member of the organization, with their override if there is one: `organization_role`, `override`."""
    return await first(tx, _members(organization_id, project_id).where(m.c.user_id == user_id))


async def list_project_members(
    tx: Tx, *, organization_id: UUID, project_id: UUID, inheriting_roles: list[str], after: UUID | None, limit: int
) -> list[Row]:
    """Members whose organization role gives them one here (`inheriting_roles`), and those with an override."""
    statement = _members(organization_id, project_id)
    statement = statement.where(or_(m.c.role.in_(inheriting_roles), pm.c.role.is_not(None)))
    if after is not None:
        statement = statement.where(m.c.user_id > after)
    return await many(tx, statement.order_by(m.c.user_id).limit(limit))


def _members(organization_id: UUID, project_id: UUID) -> Select[Any]:
    here = and_(
        pm.c.organization_id == m.c.organization_id,
        pm.c.user_id == m.c.user_id,
        pm.c.project_id == project_id,
        in_force(),
    )
    statement = select(m.c.user_id, m.c.role.label("organization_role"), pm.c.role.label("override"), *SET)
    return statement.outerjoin(pm, here).where(m.c.organization_id == organization_id, active())


async def upsert_override(
    tx: Tx, *, organization_id: UUID, project_id: UUID, user_id: UUID, values: Mapping[str, object]
) -> Row:
    """`values` are role, expire_time, set_by_user_id and set_by_service: all of them, also where they are None."""
    values = {**values, "inherited_from_org": False}
    statement = insert(pm).values(organization_id=organization_id, project_id=project_id, user_id=user_id, **values)
    statement = statement.on_conflict_do_update(
        constraint="pk_project_members", set_={**values, "update_time": func.now()}
    )
    return await one(tx, statement.returning(pm))


async def delete_override(tx: Tx, *, organization_id: UUID, project_id: UUID, user_id: UUID) -> bool:
    """Also an expired one; False if there was none."""
    statement = delete(pm).where(
        pm.c.organization_id == organization_id, pm.c.project_id == project_id, pm.c.user_id == user_id
    )
    return await first(tx, statement.returning(pm.c.user_id)) is not None


async def delete_overrides_of_user(tx: Tx, *, organization_id: UUID, user_id: UUID) -> None:
    """When somebody becomes an owner, whom no override may hold down."""
    await tx.execute(delete(pm).where(pm.c.organization_id == organization_id, pm.c.user_id == user_id))
