"""SQL of a user's address and password. Times are the database's."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import func

from identity_service.queries import users as queries
from identity_service.tables import users
from shared.database import Row, Tx


async def insert_verified_user(tx: Tx, *, new: Mapping[str, object]) -> Row:
    """As `insert_user`, of somebody who has just proved that the address is theirs."""
    return await queries.insert_user(tx, new={**new, "email_verified_time": func.now()})


async def update_email_verified(tx: Tx, *, user_id: UUID) -> Row:
    return await queries.update_user(tx, user_id=user_id, changes={"email_verified_time": func.now()})


async def update_email(tx: Tx, *, user_id: UUID, email: str, email_key: str) -> Row:
    """An address that they have just proved to be theirs."""
    changes = {"email": email, "email_key": email_key, "email_verified_time": func.now()}
    return await queries.update_user(tx, user_id=user_id, changes=changes)


async def update_password(
    tx: Tx, *, user_id: UUID, password_hash: str, password_is_short: bool, proves_address: bool
) -> Row:
    """`proves_address`: by a mail to the address, which is verified with it if it was not."""
    changes: dict[str, object] = {"password_hash": password_hash, "password_is_short": password_is_short}
    if proves_address:
        changes["email_verified_time"] = func.coalesce(users.c.email_verified_time, func.now())
    return await queries.update_user(tx, user_id=user_id, changes=changes)
