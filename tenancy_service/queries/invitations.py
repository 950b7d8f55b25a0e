"""SQL of invitations. A pending one whose time has passed is EXPIRED, by the database's clock at this moment."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, Select, and_, bindparam, case, func, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB

from shared import fields, filters
from shared.database import Row, Tx, first, many, many_by_filter
from shared.filters import Field
from tenancy_service.queries.organization_members import active
from tenancy_service.tables import invitation_project_roles as r
from tenancy_service.tables import invitations as i
from tenancy_service.tables import organization_members as m
from tenancy_service.tables import organizations as o
from tenancy_service.tables import user_names as n

STATE = case((and_(i.c.state == "PENDING", i.c.expire_time <= func.now()), "EXPIRED"), else_=i.c.state)
OPEN = and_(i.c.state == "PENDING", i.c.expire_time > func.now())

FILTERS: Mapping[str, Field] = {
    "state": Field(STATE, filters.one_of("PENDING", "ACCEPTED", "DECLINED", "REVOKED", "EXPIRED")),
    "role": Field(i.c.role, filters.one_of("OWNER", "ADMIN", "MEMBER", "GUEST")),
    "email": Field(i.c.email_key, fields.email_key, has_prefixes=True),
}


async def insert_invitation(
    tx: Tx, *, organization_id: UUID, lifetime: timedelta, new: Mapping[str, object], project_roles: Mapping[UUID, str]
) -> None:
    """`new` has the id, the address and its key, the role, and who invites."""
    ends = func.now() + bindparam(None, lifetime, Interval)
    await tx.execute(insert(i).values(organization_id=organization_id, expire_time=ends, **new))
    if project_roles:
        key = {"organization_id": organization_id, "invitation_id": new["invitation_id"]}
        rows = [{**key, "project_id": project_id, "role": role} for project_id, role in project_roles.items()]
        await tx.execute(insert(r).values(rows))


async def get_invitation(tx: Tx, *, invitation_id: UUID) -> Row | None:
    """Without its organization: callers name the invitation alone, and this is how its tenant is found."""
    return await first(tx, _with_roles_and_place().where(i.c.invitation_id == invitation_id))


async def get_invitation_by_secret(tx: Tx, *, secret_hash: bytes) -> Row | None:
    """The one whose latest mail has this secret: there is no other way from a secret to its tenant."""
    return await first(tx, _with_roles_and_place().where(i.c.secret_hash == secret_hash))


async def list_invitations(
    tx: Tx, *, organization_id: UUID, condition: ColumnElement[bool] | None, after: UUID | None, limit: int
) -> list[Row]:
    """Newest first; `condition` is made of FILTERS."""
    statement = _with_roles_and_place().where(i.c.organization_id == organization_id)
    if condition is not None:
        statement = statement.where(condition)
    return await many_by_filter(tx, _page(statement, after, limit))


async def list_invitations_of_address(tx: Tx, *, email_key: str, after: UUID | None, limit: int) -> list[Row]:
    """The pending ones of all organizations that are there, newest first."""
    statement = _with_roles_and_place().where(i.c.email_key == email_key, OPEN, o.c.delete_time.is_(None))
    return await many(tx, _page(statement, after, limit))


async def get_member_of_address(tx: Tx, *, organization_id: UUID, email_key: str) -> Row | None:
    """The active member with this address, as far as identity's events have told."""
    statement = select(m.c.user_id).join(n, n.c.user_id == m.c.user_id).where(n.c.email_key == email_key)
    return await first(tx, statement.where(m.c.organization_id == organization_id, active()))


async def update_invitation_answered(
    tx: Tx, *, organization_id: UUID, invitation_id: UUID, state: str, accepted_user_id: UUID | None = None
) -> bool:
    """ACCEPTED, DECLINED or REVOKED, once; False if it is not pending."""
    statement = _changed().where(i.c.organization_id == organization_id, i.c.invitation_id == invitation_id, OPEN)
    statement = statement.values(state=state, accepted_user_id=accepted_user_id)
    return await first(tx, statement.returning(i.c.invitation_id)) is not None


async def update_invitation_resent(tx: Tx, *, organization_id: UUID, invitation_id: UUID, lifetime: timedelta) -> bool:
    """Pending for as long again, also if its time has passed; the secret it had is good no more. False if ended."""
    statement = _changed().where(
        i.c.organization_id == organization_id, i.c.invitation_id == invitation_id, i.c.state == "PENDING"
    )
    ends = func.now() + bindparam(None, lifetime, Interval)
    statement = statement.values(secret_hash=None, expire_time=ends)
    return await first(tx, statement.returning(i.c.invitation_id)) is not None


async def update_invitation_expired(tx: Tx, *, organization_id: UUID, email_key: str) -> None:
    """Makes room for another to the address: one whose time has passed stays expired for good."""
    statement = _changed().where(
        i.c.organization_id == organization_id,
        i.c.email_key == email_key,
        i.c.state == "PENDING",
        i.c.expire_time <= func.now(),
    )
    await tx.execute(statement.values(state="EXPIRED"))


async def update_invitations_revoked(
    tx: Tx, *, organization_id: UUID, inviter_user_id: UUID, roles: Sequence[str]
) -> list[UUID]:
    """Those pending ones, also expired, that this person sent for one of these roles."""
    theirs = (i.c.organization_id == organization_id, i.c.inviter_user_id == inviter_user_id)
    statement = _changed().where(*theirs, i.c.state == "PENDING", i.c.role.in_(roles))
    rows = await many(tx, statement.values(state="REVOKED").returning(i.c.invitation_id))
    return [row.invitation_id for row in rows]


def _changed() -> Any:
    """The time of a pending one's last change is that of its last mail."""
    return update(i).values(version=i.c.version + 1, update_time=func.now())


def _with_roles_and_place() -> Select[Any]:
    """All but the secret's hash; `project_roles` are roles by the project's id, or None; `age` is in seconds."""
    roles = (
        select(func.jsonb_object_agg(r.c.project_id, r.c.role, type_=JSONB))
        .where(r.c.organization_id == i.c.organization_id, r.c.invitation_id == i.c.invitation_id)
        .scalar_subquery()
    )
    told = [column for column in i.c if column.name not in ("state", "secret_hash")]
    return select(
        *told,
        STATE.label("state"),
        roles.label("project_roles"),
        func.extract("epoch", func.now() - i.c.update_time).label("age"),
        o.c.slug.label("organization_slug"),
        o.c.display_name.label("organization_display_name"),
        o.c.delete_time.label("organization_delete_time"),
    ).join(o, o.c.organization_id == i.c.organization_id)


def _page(statement: Select[Any], after: UUID | None, limit: int) -> Select[Any]:
    if after is not None:
        statement = statement.where(i.c.invitation_id < after)
    return statement.order_by(i.c.invitation_id.desc()).limit(limit)
