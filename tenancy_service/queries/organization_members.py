"""SQL of memberships."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update

from shared import filters
from shared.database import Row, Tx, first, many, many_by_filter, one
from shared.filters import Field
from tenancy_service.queries.user_names import comparable
from tenancy_service.tables import organization_members as m
from tenancy_service.tables import organizations as o
from tenancy_service.tables import user_names as n

# What ListOrganizationMembers can be asked for.
FILTERS = {
    "role": Field(m.c.role, filters.one_of("OWNER", "ADMIN", "MEMBER", "GUEST")),
    "email": Field(n.c.email_key, comparable, "=", has_prefixes=True),
    "display_name": Field(n.c.name_key, comparable, "=", has_prefixes=True),
}


def active() -> ColumnElement[bool]:
    """Not expired, by the database's clock at this moment: no job stands in the security path."""
    return or_(m.c.expire_time.is_(None), m.c.expire_time > func.now())


async def insert_member(
    tx: Tx, *, organization_id: UUID, user_id: UUID, role: str, expire_time: datetime | None = None
) -> Row:
    statement = insert(m).values(organization_id=organization_id, user_id=user_id, role=role, expire_time=expire_time)
    return await one(tx, statement.returning(m))


async def get_member(tx: Tx, *, organization_id: UUID, user_id: UUID) -> Row | None:
    """An active member of an organization that is not deleted."""
    statement = (
        select(m)
        .join(o, o.c.organization_id == m.c.organization_id)
        .where(m.c.organization_id == organization_id, m.c.user_id == user_id, active(), o.c.delete_time.is_(None))
    )
    return await first(tx, statement)


async def get_role(tx: Tx, *, organization_id: UUID, user_id: UUID) -> str | None:
    """Of an active member, also where the organization is deleted."""
    statement = select(m.c.role).where(m.c.organization_id == organization_id, m.c.user_id == user_id, active())
    return (await tx.execute(statement)).scalar_one_or_none()


async def get_successor(tx: Tx, *, organization_id: UUID, but: Sequence[UUID]) -> Row | None:
    """The longest-standing admin who is none of these. Not one for a limited time: an owner is one for ever."""
    admins = (m.c.organization_id == organization_id, m.c.role == "ADMIN", m.c.expire_time.is_(None))
    statement = select(m).where(*admins, m.c.user_id != func.all(list(but)))
    return await first(tx, statement.order_by(m.c.create_time, m.c.user_id).limit(1))


async def list_memberships(tx: Tx, *, organization_id: UUID, user_ids: Sequence[UUID]) -> list[Row]:
    """Of these users, as far as they have any: also expired ones, and in a deleted organization."""
    theirs = (m.c.organization_id == organization_id, m.c.user_id == func.any(list(user_ids)))
    return await many(tx, select(m).where(*theirs).order_by(m.c.user_id))


async def list_memberships_of_users(tx: Tx, *, user_ids: Sequence[UUID], limit: int) -> list[Row]:
    """Also expired ones and those of deleted organizations, by organization: the order to lock them in."""
    statement = select(m.c.organization_id, m.c.user_id).where(m.c.user_id == func.any(list(user_ids)))
    return await many(tx, statement.order_by(m.c.organization_id, m.c.user_id).limit(limit))


async def list_members(
    tx: Tx, *, organization_id: UUID, condition: ColumnElement[bool] | None, after: UUID | None, limit: int
) -> list[Row]:
    """By user_id; `condition` is made of FILTERS. Who has no row in user_names has no name to be found by."""
    statement = select(m).where(m.c.organization_id == organization_id, active())
    if after is not None:
        statement = statement.where(m.c.user_id > after)
    statement = statement.order_by(m.c.user_id).limit(limit)
    if condition is None:
        return await many(tx, statement)
    return await many_by_filter(tx, statement.outerjoin(n, n.c.user_id == m.c.user_id).where(condition))


async def count_other_owners(tx: Tx, *, organization_id: UUID, user_id: UUID) -> int:
    """Active owners besides this user; true until commit only under lock_organization."""
    statement = select(func.count()).where(
        m.c.organization_id == organization_id, m.c.role == "OWNER", m.c.user_id != user_id, active()
    )
    return (await tx.execute(statement)).scalar_one()


async def update_member(
    tx: Tx, *, organization_id: UUID, user_id: UUID, role: str, expire_time: datetime | None
) -> Row:
    statement = update(m).where(m.c.organization_id == organization_id, m.c.user_id == user_id)
    statement = statement.values(role=role, expire_time=expire_time, version=m.c.version + 1, update_time=func.now())
    return await one(tx, statement.returning(m))


async def delete_expired_member(tx: Tx, *, organization_id: UUID, user_id: UUID) -> None:
    """With the overrides it had: a new membership revives nothing."""
    theirs = (m.c.organization_id == organization_id, m.c.user_id == user_id)
    await tx.execute(delete(m).where(*theirs, m.c.expire_time <= func.now()))


async def delete_member(tx: Tx, *, organization_id: UUID, user_id: UUID) -> None:
    """Their overrides go with the row, by the foreign key."""
    await tx.execute(delete(m).where(m.c.organization_id == organization_id, m.c.user_id == user_id))
