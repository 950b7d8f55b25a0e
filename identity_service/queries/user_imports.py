"""SQL of ImportUsers: many accounts in one statement, and which of them were refused why."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Boolean, bindparam, case, column, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from identity_service.queries.users import NOT_DELETED
from identity_service.tables import users
from shared.database import Row, Tx, many

GIVEN = (
    *("user_id", "email", "email_key", "display_name", "external_id", "password_hash"),
    *("public_metadata", "private_metadata"),
)


async def insert_users(tx: Tx, *, new: Sequence[Mapping[str, object]]) -> list[Row]:
    """Those whose address and external id are free, in any order; of two alike the first.

    Each of `new` has what GIVEN names, and is_verified for email_verified_time.
    """
    # One parameter: psycopg takes longer to read a statement with 10,000 of them than PostgreSQL to execute it.
    given = func.jsonb_to_recordset(
        bindparam("new", [{**user, "user_id": str(user["user_id"])} for user in new], JSONB)
    )
    columns = [column(name, users.c[name].type) for name in GIVEN]
    user = given.table_valued(*columns, column("is_verified", Boolean)).render_derived(name="given", with_types=True)
    verified_time = case((user.c.is_verified, func.now()))
    source = select(*(user.c[name] for name in GIVEN), verified_time)
    statement = insert(users).from_select([*GIVEN, "email_verified_time"], source)
    return await many(tx, statement.on_conflict_do_nothing().returning(users))


async def list_taken_email_keys(tx: Tx, *, email_keys: Sequence[str]) -> set[str]:
    """Those of `email_keys` that an account has."""
    statement = select(users.c.email_key).where(users.c.email_key == func.any(list(email_keys)), NOT_DELETED)
    return {row.email_key for row in await many(tx, statement)}
