"""SQL of users."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, insert, select, update

from identity_service.tables import users
from shared.database import Row, Tx, first, many, one

NOT_DELETED = users.c.state != "DELETED"


async def insert_user(tx: Tx, *, new: Mapping[str, object]) -> Row:
    """`new` holds user_id, email, email_key, display_name and whatever else is not left at its default."""
    return await one(tx, insert(users).values(**new).returning(users))


async def get_user(tx: Tx, *, user_id: UUID) -> Row | None:
    """Also a deleted one, until it is purged."""
    return await first(tx, select(users).where(users.c.user_id == user_id))


async def get_user_by_email(tx: Tx, *, email_key: str) -> Row | None:
    return await first(tx, select(users).where(users.c.email_key == email_key, NOT_DELETED))


async def list_users_by_id(tx: Tx, *, user_ids: Sequence[UUID]) -> list[Row]:
    """Those that exist and are not deleted, in any order."""
    statement = select(users).where(users.c.user_id == func.any(list(user_ids)), NOT_DELETED)
    return await many(tx, statement)


async def lock_user(tx: Tx, *, user_id: UUID) -> Row | None:
    """Until the transaction ends nobody changes or deletes them, or signs in as them."""
    statement = select(users).where(users.c.user_id == user_id).with_for_update()
    return await first(tx, statement)


async def update_user(tx: Tx, *, user_id: UUID, changes: Mapping[str, object]) -> Row:
    """What readers of the user can see: the etag changes."""
    statement = update(users).where(users.c.user_id == user_id)
    statement = statement.values(**changes, version=users.c.version + 1, update_time=func.now())
    return await one(tx, statement.returning(users))


async def update_password_hash(tx: Tx, *, user_id: UUID, password_hash: str) -> None:
    """The same password with other parameters: nothing a reader of the user could see has changed."""
    await tx.execute(update(users).where(users.c.user_id == user_id).values(password_hash=password_hash))
