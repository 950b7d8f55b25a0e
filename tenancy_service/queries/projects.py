"""SQL of projects. Deleted ones are there only where a name says so, those of deleted organizations nowhere."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Interval,
    Select,
    Text,
    and_,
    bindparam,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)  # fmt: skip

from shared.database import Row, Tx, first, many, one
from tenancy_service.queries.project_members import in_force
from tenancy_service.tables import organizations as o
from tenancy_service.tables import project_members as pm
from tenancy_service.tables import projects as p


def undeletable() -> ColumnElement[bool]:
    """Not to be purged by now, by the database's clock, whether or not the worker has come to it."""
    return and_(p.c.delete_time.is_not(None), p.c.purge_time > func.now())


async def insert_project(
    tx: Tx,
    *,
    organization_id: UUID,
    project_id: UUID,
    slug: str,
    display_name: str,
    public_metadata: Mapping[str, object],
) -> Row:
    statement = insert(p).values(
        organization_id=organization_id,
        project_id=project_id,
        slug=slug,
        display_name=display_name,
        public_metadata=public_metadata,
    )
    return await one(tx, statement.returning(p))


async def get_project(tx: Tx, *, project_id: UUID) -> Row | None:
    """Without its organization: callers name the project alone, and this is how its tenant is found."""
    return await first(tx, _with_default_role().where(p.c.project_id == project_id, p.c.delete_time.is_(None)))


async def get_project_even_deleted(tx: Tx, *, project_id: UUID) -> Row | None:
    """As it would be found without its deletion, as long as that can be taken back."""
    is_there = or_(p.c.delete_time.is_(None), undeletable())
    return await first(tx, _with_default_role().where(p.c.project_id == project_id, is_there))


async def get_project_id(tx: Tx, *, organization_id: UUID, slug: str) -> UUID | None:
    statement = select(p.c.project_id).where(
        p.c.organization_id == organization_id, p.c.slug == slug, p.c.delete_time.is_(None)
    )
    return (await tx.execute(statement)).scalar_one_or_none()


def _with_default_role() -> Select[tuple[object, ...]]:
    return (
        select(p, o.c.default_project_role)
        .join(o, o.c.organization_id == p.c.organization_id)
        .where(o.c.delete_time.is_(None))
    )


async def list_all_projects(
    tx: Tx, *, organization_id: UUID, with_deleted: bool, after: UUID | None, limit: int
) -> list[Row]:
    """For services and owners: every project, without anybody's `override`."""
    statement = select(p, null().label("override")).where(
        or_(p.c.delete_time.is_(None), undeletable()) if with_deleted else p.c.delete_time.is_(None)
    )
    return await _page(tx, statement, organization_id, after, limit)


async def list_projects_of_user(
    tx: Tx,
    *,
    organization_id: UUID,
    user_id: UUID,
    inherited: str,
    deleted_with: tuple[str, ...],
    after: UUID | None,
    limit: int,
) -> list[Row]:
    """Those on which the member is not NONE, each with their `override`; `inherited` is the role without one.

    Deleted ones where the role is one of `deleted_with`.
    """
    mine = and_(
        pm.c.organization_id == p.c.organization_id,
        pm.c.project_id == p.c.project_id,
        pm.c.user_id == user_id,
        in_force(),
    )
    role = func.coalesce(pm.c.role, literal(inherited))
    statement = (
        select(p, pm.c.role.label("override"))
        .outerjoin(pm, mine)
        .where(or_(and_(p.c.delete_time.is_(None), role != "NONE"), and_(undeletable(), role.in_(deleted_with))))
    )
    return await _page(tx, statement, organization_id, after, limit)


async def _page(
    tx: Tx, statement: Select[tuple[object, ...]], organization_id: UUID, after: UUID | None, limit: int
) -> list[Row]:
    statement = statement.where(p.c.organization_id == organization_id)
    if after is not None:
        statement = statement.where(p.c.project_id > after)
    return await many(tx, statement.order_by(p.c.project_id).limit(limit))


async def update_project(
    tx: Tx, *, organization_id: UUID, project_id: UUID, values: Mapping[str, object], etag: str | None
) -> Row | None:
    """None if it has another etag by now."""
    statement = update(p).where(p.c.organization_id == organization_id, p.c.project_id == project_id)
    if etag is not None:
        statement = statement.where(p.c.version.cast(Text) == etag)
    statement = statement.values(**values, version=p.c.version + 1, update_time=func.now())
    return await first(tx, statement.returning(p))


async def update_project_deleted(tx: Tx, *, organization_id: UUID, project_id: UUID, purge_after: timedelta) -> Row:
    purge_time = func.now() + bindparam(None, purge_after, Interval)
    return await _update_deletion(tx, organization_id, project_id, delete_time=func.now(), purge_time=purge_time)


async def update_project_undeleted(tx: Tx, *, organization_id: UUID, project_id: UUID) -> Row:
    return await _update_deletion(tx, organization_id, project_id, delete_time=None, purge_time=None)


async def _update_deletion(tx: Tx, organization_id: UUID, project_id: UUID, **times: object) -> Row:
    statement = update(p).where(p.c.organization_id == organization_id, p.c.project_id == project_id)
    statement = statement.values(**times, version=p.c.version + 1, update_time=func.now())
    return await one(tx, statement.returning(p))
