"""SQL of organizations. Deleted ones are not there, but where it is said."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, Text, func, insert, literal_column, select, update

from shared.database import Row, Tx, first, many, one
from tenancy_service.queries.organization_members import active
from tenancy_service.tables import organization_members as m
from tenancy_service.tables import organizations as o


async def insert_organization(tx: Tx, *, organization_id: UUID, slug: str, display_name: str) -> Row:
    statement = insert(o).values(organization_id=organization_id, slug=slug, display_name=display_name)
    return await one(tx, statement.returning(o))


async def get_organization(tx: Tx, *, organization_id: UUID) -> Row | None:
    return (
        await tx.execute(select(o).where(o.c.organization_id == organization_id, o.c.delete_time.is_(None)))
    ).first()


async def get_organization_id(tx: Tx, *, slug: str) -> UUID | None:
    statement = select(o.c.organization_id).where(o.c.slug == slug, o.c.delete_time.is_(None))
    return (await tx.execute(statement)).scalar_one_or_none()


async def lock_organization(tx: Tx, *, organization_id: UUID, member: UUID | None) -> bool:
    """Lock the row against every other change of members and roles; False if it is not there.

    With `member` only where that user belongs to it, so that outsiders cannot hold other tenants' locks.
    """
    statement = select(o.c.organization_id).where(o.c.organization_id == organization_id, o.c.delete_time.is_(None))
    if member is not None:
        statement = statement.join(m, m.c.organization_id == o.c.organization_id).where(m.c.user_id == member)
    return (await tx.execute(statement.with_for_update(of=o))).first() is not None


async def lock_organization_or_deleted(tx: Tx, *, organization_id: UUID) -> bool:
    """As lock_organization, also where it can still be undeleted; False if it is purged."""
    statement = select(o.c.organization_id).where(o.c.organization_id == organization_id)
    return (await tx.execute(statement.with_for_update())).first() is not None


async def list_organizations_of_user(tx: Tx, *, user_id: UUID, after: UUID | None, limit: int) -> list[Row]:
    """With the user's role in each, by organization_id, which is by time of creation."""
    statement = (
        select(o, m.c.role.label("caller_role"))
        .join(m, m.c.organization_id == o.c.organization_id)
        .where(m.c.user_id == user_id, active(), o.c.delete_time.is_(None))
    )
    return await _page(tx, statement, after, limit)


async def list_all_organizations(tx: Tx, *, after: UUID | None, limit: int) -> list[Row]:
    """For services, over all tenants."""
    return await _page(
        tx, select(o, literal_column("NULL").label("caller_role")).where(o.c.delete_time.is_(None)), after, limit
    )


async def _page(tx: Tx, statement: Select[Any], after: UUID | None, limit: int) -> list[Row]:
    if after is not None:
        statement = statement.where(o.c.organization_id > after)
    return await many(tx, statement.order_by(o.c.organization_id).limit(limit))


async def update_organization(tx: Tx, *, organization_id: UUID, values: dict[str, str], etag: str | None) -> Row | None:
    """None if it has another etag by now."""
    statement = update(o).where(o.c.organization_id == organization_id)
    if etag is not None:
        statement = statement.where(o.c.version.cast(Text) == etag)
    statement = statement.values(**values, version=o.c.version + 1, update_time=func.now())
    return await first(tx, statement.returning(o))


async def update_organization_ownerless(tx: Tx, *, organization_id: UUID) -> Row:
    """Also a deleted one: it is not to come back as if it had an owner."""
    statement = update(o).where(o.c.organization_id == organization_id)
    statement = statement.values(ownerless_time=func.now(), version=o.c.version + 1, update_time=func.now())
    return await one(tx, statement.returning(o))
