"""The migration takes over a session table that an Express app has made first, with its live rows."""

import json
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import sql

from identity_service import tokens
from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from tenantry.migrate import MIGRATIONS, migrate
from tenantry.testing.databases import Databases
from tenantry.testing.pair import identity_settings, running_identity
from tenantry.testing.people import AS_OPERATOR
from tests.identity.conftest import Rows

# connect-pg-simple 10.0.0's own table.
TABLE_OF_EXPRESS = """
CREATE TABLE "session" ("sid" varchar NOT NULL COLLATE "default", "sess" json NOT NULL, "expire" timestamp(6) NOT NULL)
WITH (OIDS=FALSE);
ALTER TABLE "session" ADD CONSTRAINT "session_pkey" PRIMARY KEY ("sid") NOT DEFERRABLE INITIALLY IMMEDIATE;
CREATE INDEX "IDX_session_expire" ON "session" ("expire");
"""
INSERT = 'INSERT INTO "session" (sess, expire, sid) SELECT %s, to_timestamp(extract(epoch FROM now())::int + %s), %s'
COOKIE = {"originalMaxAge": 60_000, "expires": "2026-11-29T15:01:40.249Z", "httpOnly": True, "path": "/"}


class Adopted:
    """A database with sessions of an Express app, before and after identity's migration."""

    def __init__(self, databases: Databases, time_zone: str) -> None:
        name = databases.empty("identity")
        with psycopg.connect(databases.postgres.url(), autocommit=True) as admin:
            setting = sql.SQL("ALTER DATABASE {} SET timezone = {}")
            admin.execute(setting.format(sql.Identifier(name), sql.Literal(time_zone)))
        self.owner_url = databases.owner_url("identity", name)
        self.url = databases.service_url("identity", name)
        self.sids: dict[str, str] = {}

    def make(self, **sessions: tuple[str, int]) -> None:
        """Rows as (sess, seconds from now until its end), written as Express does."""
        with psycopg.connect(self.owner_url, autocommit=True) as express:
            for statement in TABLE_OF_EXPRESS.replace("WITH (OIDS=FALSE)", "").split(";"):
                express.execute(statement)
            grants = """GRANT USAGE ON SCHEMA public TO identity;
                        ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO identity;
                        GRANT SELECT, INSERT, UPDATE, DELETE ON session TO identity"""
            express.execute(grants)
            for name, (sess, seconds) in sessions.items():
                self.sids[name] = tokens.make_sid()
                express.execute(INSERT, (sess, seconds, self.sids[name]))


def sess(user_id: object, **more: object) -> str:
    return json.dumps({"cookie": COOKIE, "userId": str(user_id)} | more)


@pytest.mark.parametrize("time_zone", ["UTC", "Asia/Kolkata", "America/New_York"])
async def test_old_sessions_stay_valid_and_expired_ones_expired(
    databases: Databases, time_zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopted = Adopted(databases, time_zone)
    user_id = uuid4()
    adopted.make(
        living=(sess(user_id), 600),
        dying=(sess(user_id), 30),
        expired=(sess(user_id), -30),
        long=(sess(user_id), 30 * 86400),
        nobodys=(json.dumps({"cookie": COOKIE}), 600),
    )
    # libpq follows PGTZ and node's driver does not: what an operator has set must not shift the sessions.
    monkeypatch.setenv("PGTZ", "Pacific/Auckland")
    migrate("identity", adopted.owner_url)
    monkeypatch.delenv("PGTZ")

    settings = identity_settings(adopted.url)
    async with await psycopg.AsyncConnection.connect(adopted.url, autocommit=True) as rows:
        await rows.execute("INSERT INTO users VALUES (%s, 'a@example.com', 'a@example.com', NULL, '')", (user_id,))
        async with running_identity(settings) as service:
            names = ("living", "dying", "expired", "long", "nobodys")
            asked = [tokens.sign(adopted.sids[name], settings.secret_bytes[0]) for name in names]
            request = pb.BatchValidateSessionsRequest(tokens=asked)
            answers = await SessionServiceStub(service.channel).BatchValidateSessions(request, metadata=AS_OPERATOR)
            found = {name: result.session for name, result in zip(names, answers.results, strict=True)}
            assert [name for name in names if found[name].session_id] == ["living", "dying", "long"]
            assert len({UUID(found[name].session_id) for name in ("living", "dying", "long")}) == 3
            left = {name: await seconds_left(rows, adopted.sids[name]) for name in names}
    assert 590 <= left["living"] <= 601
    assert 20 <= left["dying"] <= 31
    assert 43_190 <= left["long"] <= 43_200  # no session outlives the absolute limit
    assert found["living"].auth_time.seconds == 0  # not known, so long ago


async def seconds_left(rows: Rows, sid: str) -> float:
    query = "SELECT extract(epoch FROM expire - now()) FROM session WHERE sid = %s"
    row = await (await rows.execute(query, (sid,))).fetchone()
    assert row is not None
    return float(row[0])


def test_what_nobody_could_use_is_dropped(databases: Databases) -> None:
    adopted = Adopted(databases, "UTC")
    adopted.make(
        good=(sess("42", note="\\u0000 as six characters, escaped twice"), 600),
        nul=('{"cookie": {}, "note": "\\u0000"}', 600),
        half=('{"cookie": {}, "note": "\\ud800"}', 600),
        without_cookie=('{"userId": "42"}', 600),
        array=("[1]", 600),
    )
    migrate("identity", adopted.owner_url)
    with psycopg.connect(adopted.url) as rows:
        assert rows.execute("SELECT sid FROM session").fetchall() == [(adopted.sids["good"],)]


def test_the_result_is_the_table_of_a_fresh_migration(databases: Databases) -> None:
    adopted = Adopted(databases, "UTC")
    adopted.make()
    migrate("identity", adopted.owner_url)
    config = Config(MIGRATIONS / "alembic.ini", ini_section="identity")
    config.attributes["url"] = adopted.owner_url
    command.check(config)
    shape = """SELECT column_name, data_type, datetime_precision, is_nullable, column_default, generation_expression
                 FROM information_schema.columns WHERE table_schema = 'public'
                ORDER BY table_name, column_name"""
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    with (
        psycopg.connect(adopted.owner_url) as one,
        psycopg.connect(databases.owner_url("identity", "identity")) as other,
    ):
        for query in (shape, indexes):
            assert one.execute(query).fetchall() == other.execute(query).fetchall()


def test_an_app_with_a_role_of_its_own_can_still_write(databases: Databases) -> None:
    """The triggers run with the rights of whoever writes; Express would not tell anybody that they fail."""
    adopted = Adopted(databases, "UTC")
    role = f"express_{uuid4().hex[:8]}"
    with psycopg.connect(databases.postgres.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(sql.Identifier(role)))
    adopted.make(living=(sess("42"), 600))
    with psycopg.connect(adopted.owner_url, autocommit=True) as owner:
        owner.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(role)))
        grant = sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON session TO {}")
        owner.execute(grant.format(sql.Identifier(role)))
    migrate("identity", adopted.owner_url)
    url = psycopg.conninfo.make_conninfo(adopted.owner_url, user=role, password="x")
    with psycopg.connect(url, autocommit=True) as express:
        express.execute("SET search_path = pg_catalog")
        express.execute("INSERT INTO public.session VALUES ('mine', %s, now() + interval '1 hour')", (sess("42"),))
        express.execute("UPDATE public.session SET expire = now() + interval '1 day'")
        assert express.execute("DELETE FROM public.session").rowcount == 2
        insert = "INSERT INTO public.session VALUES ('mine', %s, now() + interval '1 hour')"
        assert express.execute(insert, (sess("42"),)).rowcount == 0
