"""SQL of users."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, Update, bindparam, case, func, insert, select, tuple_, update

from identity_service.tables import users
from shared import filters
from shared.database import Row, Tx, first, many, many_by_filter, one
from shared.fields import email_key
from shared.filters import Field

NOT_DELETED = users.c.state != "DELETED"


def comparable(email: str) -> str:
    return email_key(unicodedata.normalize("NFC", email))


# What ListUsers can be asked for.
FILTERS = {
    "email": Field(users.c.email_key, comparable, has_prefixes=True),
    "state": Field(users.c.state, filters.one_of("ACTIVE", "SUSPENDED", "DELETED")),
    "create_time": Field(users.c.create_time, filters.time, "= < <= > >="),
}


async def insert_user(tx: Tx, *, new: Mapping[str, object], is_verified: bool = False) -> Row:
    """`new` holds user_id, email, email_key, display_name and whatever else is not left at its default."""
    verified = {"email_verified_time": func.now()} if is_verified else {}
    return await one(tx, insert(users).values(**new, **verified).returning(users))


async def get_user(tx: Tx, *, user_id: UUID) -> Row | None:
    """Also a deleted one, until it is purged."""
    return await first(tx, select(users).where(users.c.user_id == user_id))


async def get_user_by_email(tx: Tx, *, email_key: str) -> Row | None:
    return await first(tx, select(users).where(users.c.email_key == email_key, NOT_DELETED))


async def get_user_by_external_id(tx: Tx, *, external_id: str) -> Row | None:
    return await first(tx, select(users).where(users.c.external_id == external_id, NOT_DELETED))


async def list_users_by_id(tx: Tx, *, user_ids: Sequence[UUID]) -> list[Row]:
    """Those that exist and are not deleted, in any order."""
    statement = select(users).where(users.c.user_id == func.any(list(user_ids)), NOT_DELETED)
    return await many(tx, statement)


async def list_users(
    tx: Tx,
    *,
    condition: ColumnElement[bool] | None,
    show_deleted: bool,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Row]:
    """Oldest first; `after` is the last (create_time, user_id) of a page, `condition` made of FILTERS."""
    key = tuple_(users.c.create_time, users.c.user_id)
    statement = select(users).order_by(users.c.create_time, users.c.user_id).limit(limit)
    for each in (condition, None if show_deleted else NOT_DELETED, None if after is None else key > after):
        if each is not None:
            statement = statement.where(each)
    return await many_by_filter(tx, statement)


async def lock_user(tx: Tx, *, user_id: UUID) -> Row | None:
    """Also a deleted one. Until the transaction ends nobody changes or deletes them, or signs in as them."""
    statement = select(users).where(users.c.user_id == user_id).with_for_update()
    return await first(tx, statement)


def changed(user_id: UUID) -> Update:
    """What readers of the user can see changes: the etag too."""
    statement = update(users).where(users.c.user_id == user_id)
    return statement.values(version=users.c.version + 1, update_time=func.now())


async def update_user(tx: Tx, *, user_id: UUID, changes: Mapping[str, object]) -> Row:
    return await one(tx, changed(user_id).values(**changes).returning(users))


async def update_user_suspended(tx: Tx, *, user_id: UUID) -> Row:
    return await one(tx, changed(user_id).values(state="SUSPENDED", suspend_time=func.now()).returning(users))


async def update_user_reactivated(tx: Tx, *, user_id: UUID) -> Row:
    return await one(tx, changed(user_id).values(state="ACTIVE", suspend_time=None).returning(users))


async def update_user_deleted(tx: Tx, *, user_id: UUID, purge_after: timedelta) -> Row:
    purge_time = func.now() + bindparam(None, purge_after, Interval)
    statement = changed(user_id).values(state="DELETED", delete_time=func.now(), purge_time=purge_time)
    return await one(tx, statement.returning(users))


async def update_user_undeleted(tx: Tx, *, user_id: UUID) -> Row | None:
    """As it was before; None if it is not deleted, or to be purged by now."""
    state = case((users.c.suspend_time.is_(None), "ACTIVE"), else_="SUSPENDED")
    statement = changed(user_id).where(users.c.state == "DELETED", users.c.purge_time > func.now())
    return await first(tx, statement.values(state=state, delete_time=None, purge_time=None).returning(users))


async def update_password_hash(tx: Tx, *, user_id: UUID, old: str | None, new: str) -> None:
    """The same password with other parameters, unless it was changed: nothing a reader of the user could see."""
    same = update(users).where(users.c.user_id == user_id, users.c.password_hash == old)
    await tx.execute(same.values(password_hash=new))
