"""SQL of users."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update

from identity_service.tables import users
from shared.database import Row, Tx, first, many, one


async def insert_user(
    tx: Tx, *, user_id: UUID, email: str, email_key: str, password_hash: str, display_name: str
) -> Row:
    statement = insert(users).values(
        user_id=user_id,
        email=email,
        email_key=email_key,
        password_hash=password_hash,
        display_name=display_name,
    )
    return await one(tx, statement.returning(users))


async def get_user(tx: Tx, *, user_id: UUID) -> Row | None:
    return await first(tx, select(users).where(users.c.user_id == user_id))


async def get_user_by_email(tx: Tx, *, email_key: str) -> Row | None:
    return await first(tx, select(users).where(users.c.email_key == email_key))


async def list_users(tx: Tx, *, user_ids: Sequence[UUID]) -> list[Row]:
    """Those that exist, in any order."""
    statement = select(users).where(users.c.user_id == func.any(list(user_ids)))
    return await many(tx, statement)


async def lock_user(tx: Tx, *, user_id: UUID) -> Row | None:
    """Until the transaction ends nobody changes or deletes them, or signs in as them."""
    statement = select(users).where(users.c.user_id == user_id).with_for_update()
    return await first(tx, statement)


async def update_user(tx: Tx, *, user_id: UUID, display_name: str) -> Row:
    statement = update(users).where(users.c.user_id == user_id)
    statement = statement.values(display_name=display_name, version=users.c.version + 1, update_time=func.now())
    return await one(tx, statement.returning(users))


async def update_password_hash(tx: Tx, *, user_id: UUID, password_hash: str) -> None:
    """The same password with other parameters: nothing a reader of the user could see has changed."""
    await tx.execute(update(users).where(users.c.user_id == user_id).values(password_hash=password_hash))


async def delete_user(tx: Tx, *, user_id: UUID) -> None:
    await tx.execute(delete(users).where(users.c.user_id == user_id))
