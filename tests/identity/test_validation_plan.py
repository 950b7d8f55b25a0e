"""The hot statement looks everything up by primary keys, also in a new database: empty tables mislead the planner."""

import psycopg
import pytest

from identity_service.queries.validation import VALID_SESSIONS
from shared.database import HOT_SETTINGS, SESSION_SETTINGS, options
from tenantry.testing.databases import Databases

FILL = """
INSERT INTO users (user_id, email, email_key, display_name)
SELECT gen_random_uuid(), n || '@example.com', n || '@example.com', '' FROM generate_series(1, 5000) n;
INSERT INTO session (sid, sess, expire)
SELECT user_id, jsonb_build_object('cookie', '{}'::jsonb, 'userId', user_id), now() + interval '1 h' FROM users"""


@pytest.mark.parametrize("filled", [False, True], ids=["empty tables", "filled without statistics"])
def test_sessions_and_users_are_looked_up_by_their_keys(databases: Databases, filled: bool) -> None:
    url = databases.service_url("identity", databases.copy("identity"))
    with psycopg.connect(url, autocommit=True, options=options(SESSION_SETTINGS, HOT_SETTINGS)) as connection:
        if filled:
            connection.execute(FILL)
        connection.execute(f"PREPARE asked AS {VALID_SESSIONS}")
        lines = connection.execute("EXPLAIN EXECUTE asked('1 min', 'a')").fetchall()
    plan = "\n".join(line for (line,) in lines)
    assert "Index Scan using session_pkey on session" in plan
    assert "Index Scan using pk_users on users" in plan
    assert plan.count("Index Scan") == 2
    assert "Bitmap" not in plan
