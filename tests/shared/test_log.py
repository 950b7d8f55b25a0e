"""What a log line must not hold, even when something unexpected fails."""

import traceback

import psycopg
import pytest
import sqlalchemy

from identity_service.constraint_errors import CONSTRAINT_ERRORS
from identity_service.tables import users
from shared.database import Database
from shared.log import without_row_values
from tenantry.testing.pair import Pair

SECRET = "the hash of\na password"


async def test_a_failure_of_the_database_is_logged_without_the_row(pair: Pair) -> None:
    database = Database(pair.identity.database_url, pool_size=1, name="test", constraint_errors=CONSTRAINT_ERRORS)
    values = {"email": "x", "email_key": "x", "display_name": "x", "password_hash": SECRET, "state": "NONE"}
    statement = sqlalchemy.insert(users).values(user_id=sqlalchemy.func.gen_random_uuid(), **values)
    with pytest.raises(sqlalchemy.exc.IntegrityError) as caught:
        async with database.transaction() as tx:
            await tx.execute(statement)
    await database.close()
    assert isinstance(caught.value.orig, psycopg.errors.CheckViolation)
    said = "".join(traceback.format_exception(caught.value))
    assert SECRET in said  # so without our care it would be logged
    logged = without_row_values(None, "error", {"event": "unexpected error", "exception": said})["exception"]
    assert SECRET not in logged
    assert "a password" not in logged
    assert "ck_users_state" in logged
    assert "[SQL: INSERT INTO users" in logged
