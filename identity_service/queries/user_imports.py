"""SQL of ImportUsers: many accounts in one statement, and which of them were refused why."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Boolean, bindparam, case, func, select
from sqlalchemy.dialects.postgresql import insert

from identity_service.queries.users import NOT_DELETED
from identity_service.tables import users
from shared.database import Row, Tx, many


async def insert_users(tx: Tx, *, new: Sequence[Mapping[str, object]]) -> list[Row]:
    """Those whose address and external id are free, in any order; of two alike the first.

    Each of `new` has user_id, email, email_key, display_name, external_id, password_hash, public_metadata,
    private_metadata, and is_verified for email_verified_time.
    """
    if not new:
        return []
    verified_time = case((bindparam("is_verified", type_=Boolean), func.now()))
    statement = insert(users).values(email_verified_time=verified_time).on_conflict_do_nothing().returning(users)
    return list((await tx.execute(statement, list(new))).all())


async def list_taken_email_keys(tx: Tx, *, email_keys: Sequence[str]) -> set[str]:
    """Those of `email_keys` that an account has."""
    statement = select(users.c.email_key).where(users.c.email_key == func.any(list(email_keys)), NOT_DELETED)
    return {row.email_key for row in await many(tx, statement)}
