"""SQL of organizations. Deleted ones are there only where it is said."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, Update, and_, bindparam, delete, func, insert, null, or_, select, update

from shared import filters as readers
from shared.database import Row, Tx, first, many_by_filter, one
from shared.filters import Field
from tenancy_service.queries.organization_members import active
from tenancy_service.tables import organization_members as m
from tenancy_service.tables import organization_slugs as s
from tenancy_service.tables import organizations as o

OLD_SLUGS = 10


def filters(*, with_role: bool, with_ownerless: bool) -> dict[str, Field]:
    """What a list can be asked for: roles where it is about somebody, and `ownerless` by services."""
    role = Field(m.c.role, readers.one_of("OWNER", "ADMIN", "MEMBER", "GUEST"))
    ownerless = Field(o.c.ownerless_time.is_not(None), readers.boolean)
    return ({"role": role} if with_role else {}) | ({"ownerless": ownerless} if with_ownerless else {})


async def insert_organization(tx: Tx, *, organization_id: UUID, new: Mapping[str, object]) -> Row:
    """`new` has the slug, the display name and the public metadata."""
    return await one(tx, insert(o).values(organization_id=organization_id, **new).returning(o))


async def get_organization(tx: Tx, *, organization_id: UUID) -> Row | None:
    return await first(tx, select(o).where(o.c.organization_id == organization_id, o.c.delete_time.is_(None)))


async def get_organization_id(tx: Tx, *, slug: str) -> UUID | None:
    """By the slug it has, or had."""
    statement = select(o.c.organization_id).join(s, s.c.organization_id == o.c.organization_id)
    return (await tx.execute(statement.where(s.c.slug == slug, o.c.delete_time.is_(None)))).scalar_one_or_none()


async def lock_organization(tx: Tx, *, organization_id: UUID, member: UUID | None, shared: bool = False) -> bool:
    """Lock the row against every other change of members and roles, `shared` with others; False if it is not there.

    With `member` only where that user belongs to it, so that outsiders cannot hold other tenants' locks.
    """
    statement = select(o.c.organization_id).where(o.c.organization_id == organization_id, o.c.delete_time.is_(None))
    if member is not None:
        statement = statement.join(m, m.c.organization_id == o.c.organization_id).where(m.c.user_id == member)
    return (await tx.execute(statement.with_for_update(read=shared, of=o))).first() is not None


async def lock_organization_until_purge(tx: Tx, *, organization_id: UUID, member: UUID | None) -> Row | None:
    """Also a deleted one that can still be undeleted; with `member` as for lock_organization."""
    statement = select(o).where(
        o.c.organization_id == organization_id, or_(o.c.delete_time.is_(None), o.c.purge_time > func.now())
    )
    if member is not None:
        statement = statement.join(m, m.c.organization_id == o.c.organization_id).where(m.c.user_id == member)
    return await first(tx, statement.with_for_update(of=o))


async def lock_organization_or_deleted(tx: Tx, *, organization_id: UUID) -> bool:
    """As lock_organization, also where it can still be undeleted; False if it is purged."""
    statement = select(o.c.organization_id).where(o.c.organization_id == organization_id)
    return (await tx.execute(statement.with_for_update())).first() is not None


async def list_organizations(
    tx: Tx,
    *,
    user_id: UUID | None,
    condition: ColumnElement[bool] | None,
    show_deleted: bool,
    after: UUID | None,
    limit: int,
) -> list[Row]:
    """Those of a user with their `member_role`, or for services all, by organization_id: by time of creation.

    `condition` is made of filters(); `after` is the last id of a page.
    """
    if user_id is None:
        key, statement = o.c.organization_id, select(o, null().label("member_role"))
    else:
        theirs = and_(m.c.organization_id == o.c.organization_id, m.c.user_id == user_id, active())
        key, statement = m.c.organization_id, select(o, m.c.role.label("member_role")).join(m, theirs)
    not_deleted = None if show_deleted else o.c.delete_time.is_(None)
    for each in (condition, not_deleted, None if after is None else key > after):
        if each is not None:
            statement = statement.where(each)
    return await many_by_filter(tx, statement.order_by(key).limit(limit))


def changed(organization_id: UUID) -> Update:
    """What readers of the organization can see changes: the etag too."""
    statement = update(o).where(o.c.organization_id == organization_id)
    return statement.values(version=o.c.version + 1, update_time=func.now()).returning(o)


async def update_organization(tx: Tx, *, organization_id: UUID, changes: Mapping[str, object]) -> Row:
    return await one(tx, changed(organization_id).values(**changes))


async def update_organization_deleted(tx: Tx, *, organization_id: UUID, purge_after: timedelta) -> Row:
    purge_time = func.now() + bindparam(None, purge_after, Interval)
    return await one(tx, changed(organization_id).values(delete_time=func.now(), purge_time=purge_time))


async def update_organization_undeleted(tx: Tx, *, organization_id: UUID) -> Row:
    return await one(tx, changed(organization_id).values(delete_time=None, purge_time=None))


async def update_organization_ownerless(tx: Tx, *, organization_id: UUID) -> Row:
    """Also a deleted one: it is not to come back as if it had an owner."""
    return await one(tx, changed(organization_id).values(ownerless_time=func.now()))


async def update_organization_owned(tx: Tx, *, organization_id: UUID) -> Row | None:
    """It has an owner again; None if it was not known to be without one."""
    statement = changed(organization_id).where(o.c.ownerless_time.is_not(None))
    return await first(tx, statement.values(ownerless_time=None))


async def delete_oldest_slugs(tx: Tx, *, organization_id: UUID) -> None:
    """What is more than OLD_SLUGS besides the slug it has now; a trigger keeps them as it is renamed."""
    current = select(o.c.slug).where(o.c.organization_id == organization_id).scalar_subquery()
    mine = (s.c.organization_id == organization_id, s.c.slug != current)
    beyond = select(s.c.slug).where(*mine).order_by(s.c.create_time.desc(), s.c.slug).offset(OLD_SLUGS)
    await tx.execute(delete(s).where(*mine, s.c.slug.in_(beyond)))
