"""What the session table does by itself, for every writer: limits, and endings that are final."""

import asyncio
import json
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from identity_service.constraint_errors import CONSTRAINT_ERRORS
from identity_service.queries.upkeep import useless
from shared.database import Database
from shared.tidy import tidy
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, identity_settings, running_identity
from tenantry.testing.people import People
from tests.identity.conftest import Rows

SESS = json.dumps({"cookie": {"originalMaxAge": 60_000}, "userId": "42"})
# As connect-pg-simple writes; $2 is in whole seconds.
SET = """INSERT INTO "session" (sess, expire, sid) SELECT %s, to_timestamp(%s), %s
         ON CONFLICT (sid) DO UPDATE SET sess = EXCLUDED.sess, expire = EXCLUDED.expire RETURNING sid"""
FAR = 4_000_000_000


async def one(rows: Rows, query: str, *values: object) -> tuple[object, ...]:
    row = await (await rows.execute(query, values)).fetchone()
    assert row is not None
    return tuple(row)


async def test_a_late_write_does_not_bring_a_session_back(rows: Rows, people: People) -> None:
    ada = await people.person("ada")
    await rows.execute("DELETE FROM session WHERE sid = %s", (ada.sid,))
    written = await rows.execute(SET, (SESS, FAR, ada.sid))
    assert written.rowcount == 0  # and no error
    assert await one(rows, "SELECT count(*) FROM session WHERE sid = %s", ada.sid) == (0,)


async def test_a_late_write_that_waited_for_the_deletion_does_not_either(
    pair: Pair, rows: Rows, people: People
) -> None:
    """PostgreSQL runs BEFORE INSERT before it waits for the row that is being deleted."""
    ada = await people.person("ada")
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url) as express:
        async with rows.transaction():
            await rows.execute("DELETE FROM session WHERE sid = %s", (ada.sid,))
            waiting = asyncio.create_task(express.execute(SET, (SESS, FAR, ada.sid)))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        await waiting
        await express.commit()
    assert await one(rows, "SELECT count(*) FROM session WHERE sid = %s", ada.sid) == (0,)


async def test_an_upsert_of_a_living_session_works(rows: Rows, people: People) -> None:
    ada = await people.person("ada")
    session_id, absolute = await one(
        rows, "SELECT session_id, absolute_expires_at FROM session WHERE sid = %s", ada.sid
    )
    assert (await rows.execute(SET, (SESS, FAR, ada.sid))).rowcount == 1
    after = await one(
        rows, "SELECT session_id, absolute_expires_at, expire, user_id FROM session WHERE sid = %s", ada.sid
    )
    assert after == (session_id, absolute, absolute, "42")


async def test_touches_stop_at_the_absolute_limit(rows: Rows, people: People) -> None:
    ada = await people.person("ada")
    await rows.execute('UPDATE "session" SET expire = to_timestamp(%s) WHERE sid = %s', (FAR, ada.sid))
    query = "SELECT expire = absolute_expires_at, expire - created_at FROM session WHERE sid = %s"
    is_limit, lifetime = await one(rows, query, ada.sid)
    assert is_limit
    assert "11:59:59" <= str(lifetime) <= "12:00:00"


async def test_the_limit_of_the_settings_holds_for_sessions_of_express(databases: Databases) -> None:
    url = databases.service_url("identity", databases.copy("identity"))
    settings = identity_settings(url, SESSION_ABSOLUTE_SECONDS=7200)
    async with running_identity(settings), await psycopg.AsyncConnection.connect(url, autocommit=True) as rows:
        for _ in range(100):
            if await one(rows, "SELECT absolute FROM session_limits") != await one(rows, "SELECT interval '12 hours'"):
                break
            await asyncio.sleep(0.05)
        await rows.execute(SET, (SESS, FAR, "sid"))
        limit = await one(rows, "SELECT round(extract(epoch FROM expire - created_at)) FROM session")
        assert 7199 <= int(str(limit[0])) <= 7200


@pytest.mark.parametrize("sess", ["{}", "[]", '"x"', '{"cookie": null}', '{"cookie": "x"}', '{"cookie": []}'])
async def test_a_session_without_a_cookie_object_is_refused(rows: Rows, sess: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await rows.execute(SET, (sess, FAR, uuid4().hex))


@pytest.mark.parametrize(
    ("sess", "user_id"),
    [
        ({"userId": "a"}, "a"),
        ({"userId": 106}, "106"),
        ({"passport": {"user": "b"}}, "b"),
        ({"userId": "a", "passport": {"user": "b"}}, "a"),
        ({"user": "c"}, None),
        ({"userId": None}, None),
    ],
)
async def test_the_user_is_read_where_apps_write_it(rows: Rows, sess: dict[str, object], user_id: str | None) -> None:
    sid = uuid4().hex
    await rows.execute(SET, (json.dumps(sess | {"cookie": {}}), FAR, sid))
    assert await one(rows, "SELECT user_id FROM session WHERE sid = %s", sid) == (user_id,)


async def test_workers_that_clear_away_at_once_leave_to_each_other_what_one_holds(
    pair: Pair, people: People, rows: Rows
) -> None:
    ada, bo = await people.persons(2)
    gone = "UPDATE session SET expire = now() - interval '1 second' WHERE sid = ANY(%s)"
    await rows.execute(gone, ([ada.sid, bo.sid],))
    databases = [Database(pair.identity.database_url, pool_size=1, name="t", constraint_errors={}) for _ in range(3)]
    rubbish = useless(events_keep=timedelta(days=30))
    left = "SELECT count(*) FROM session WHERE sid = ANY(%s)"
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url) as other:
        await other.execute("SELECT FROM session WHERE sid = %s FOR UPDATE", (bo.sid,))
        await asyncio.gather(*[tidy(database, rubbish) for database in databases])
        assert await one(rows, left, [ada.sid, bo.sid]) == (1,)
    await asyncio.gather(*[tidy(database, rubbish) for database in databases])
    assert await one(rows, left, [ada.sid, bo.sid]) == (0,)
    for database in databases:
        await database.close()


async def test_expired_rows_are_cleared_away_and_their_sids_remembered(pair: Pair, people: People, rows: Rows) -> None:
    ada, bo = await people.persons(2)
    await rows.execute("UPDATE session SET expire = now() - interval '1 second' WHERE sid = %s", (ada.sid,))
    old = uuid4().hex
    await rows.execute("INSERT INTO session_ended VALUES (%s, now() - interval '1 second')", (old,))
    await rows.execute(
        "INSERT INTO request_results VALUES ('', 'm', %s, '', '', now() - interval '25 hours')", (uuid4(),)
    )
    database = Database(pair.identity.database_url, pool_size=1, name="t", constraint_errors=CONSTRAINT_ERRORS)
    await tidy(database, useless(events_keep=timedelta(days=30)))
    await database.close()
    assert await one(rows, "SELECT count(*) FROM session WHERE sid = ANY(%s)", [ada.sid, bo.sid]) == (1,)
    assert await one(rows, "SELECT count(*) FROM session_ended WHERE sid = %s", ada.sid) == (1,)
    assert await one(rows, "SELECT count(*) FROM session_ended WHERE sid = %s", old) == (0,)
    assert await one(rows, "SELECT count(*) FROM request_results WHERE method = 'm'") == (0,)
