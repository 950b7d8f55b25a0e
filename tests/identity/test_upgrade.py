"""A database of the version before, with live sessions, here and in an Express app, becomes one of this version."""

import asyncio
import threading
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from argon2 import PasswordHasher

from identity_service import tokens
from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from tenantry.migrate import MIGRATIONS, migrate
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Service, identity_settings, running_identity
from tenantry.testing.people import AS_OPERATOR
from tests.identity.conftest import validate
from tests.identity.express_app import ExpressApp, Reply, express_app

PASSWORD = "tulip orbit canyon"
# What the code of the version before runs, word for word; it serves beside ours while a deployment changes over.
OLD_INSERT_USER = """INSERT INTO users (user_id, email, email_key, password_hash, display_name)
                     VALUES (%s, %s, %s, %s, %s) RETURNING user_id, state, version"""
OLD_INSERT_SESSION = """INSERT INTO session (sid, sess, expire, absolute_expires_at, ip, user_agent)
    VALUES (%s, jsonb_build_object('cookie', jsonb_build_object('originalMaxAge', 1800000), 'userId', %s::text),
            date_trunc('second', now() + interval '30 min'), date_trunc('second', now() + interval '12 h'),
            '127.0.0.1', 'grpc') RETURNING session_id"""
OLD_VALID_SESSIONS = """
SELECT asked.place, s.session_id, u.user_id
  FROM unnest(%s::text[]) WITH ORDINALITY AS asked (sid, place)
  JOIN session s ON s.sid = asked.sid AND s.expire > now() AND s.absolute_expires_at > now()
  JOIN users u
    ON u.user_id = CASE WHEN s.user_id LIKE '________-____-____-____-____________'
                         AND translate(s.user_id, '0123456789abcdef', '') = '----'
                        THEN s.user_id::uuid END
   AND u.state = 'ACTIVE'"""


class Old:
    """The database at version 0001, with ada signed in here."""

    def __init__(self, databases: Databases) -> None:
        name = databases.empty("identity")
        self.owner_url = databases.owner_url("identity", name)
        self.settings = identity_settings(databases.service_url("identity", name))
        self.url = self.settings.database_url.get_secret_value()
        with psycopg.connect(self.owner_url, autocommit=True) as owner:
            owner.execute("GRANT USAGE ON SCHEMA public TO identity")
            owner.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO identity")
        config = Config(MIGRATIONS / "alembic.ini", ini_section="identity")
        config.attributes["url"] = self.owner_url
        command.upgrade(config, "0001")
        self.user_id = uuid4()
        self.password_hash = PasswordHasher(2, 19456, 1).hash(PASSWORD)
        self.token = self.signed_in("ada@example.com", self.user_id)

    def signed_in(self, email: str, user_id: UUID) -> str:
        """By the old code."""
        sid = tokens.make_sid()
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(OLD_INSERT_USER, (user_id, email, email, self.password_hash, "Ada"))
            connection.execute(OLD_INSERT_SESSION, (sid, user_id))
        return tokens.sign(sid, self.settings.secret_bytes[0])


@pytest.fixture
async def old(databases: Databases) -> Old:
    return await asyncio.to_thread(Old, databases)


@pytest.fixture
async def express(old: Old) -> AsyncIterator[ExpressApp]:
    secrets = ",".join(secret.get_secret_value() for secret in old.settings.session_secrets)
    async with express_app(old.url, secrets, max_age=1_800_000) as app:
        yield app


async def me(express: ExpressApp, token: str) -> Reply:
    return await asyncio.to_thread(express.call, "GET", "/me", token)


async def test_nobody_is_signed_out_here_or_in_express(old: Old, express: ExpressApp) -> None:
    at_express = (await asyncio.to_thread(express.call, "POST", f"/login/{old.user_id}")).token
    assert at_express is not None
    over = threading.Event()
    seen: list[int] = []

    def browse() -> None:
        while not over.is_set():
            seen.append(express.call("GET", "/me", at_express).status)

    browsing = asyncio.create_task(asyncio.to_thread(browse))
    await asyncio.to_thread(migrate, "identity", old.owner_url)
    over.set()
    await browsing
    assert seen
    assert set(seen) == {200}  # also while the tables change

    async with running_identity(old.settings) as service:
        sessions = SessionServiceStub(service.channel)
        assert "SESSION_INVALID" not in await validate(sessions, old.token, at_express)
        for token in (old.token, at_express):
            assert (await me(express, token)).status == 200
        again = await asyncio.to_thread(express.call, "POST", f"/login/{old.user_id}")
        assert again.token is not None
        assert await validate(sessions, again.token) != ["SESSION_INVALID"]
        await sessions.RevokeUserSessions(pb.RevokeUserSessionsRequest(user_id=str(old.user_id)), metadata=AS_OPERATOR)
        for token in (old.token, at_express, again.token):
            assert (await me(express, token)).status == 401


async def test_the_old_password_signs_in(old: Old) -> None:
    await asyncio.to_thread(migrate, "identity", old.owner_url)
    async with running_identity(old.settings) as service:
        made = await sign_in(service)
    assert made.session.user_id == str(old.user_id)
    assert list(made.session.amr) == ["pwd"]


async def sign_in(service: Service) -> pb.CreateSessionResponse:
    request = pb.CreateSessionRequest(email="ada@example.com", password=PASSWORD)
    return await SessionServiceStub(service.channel).CreateSession(request)


async def test_the_code_of_the_version_before_goes_on_beside_ours(old: Old) -> None:
    await asyncio.to_thread(migrate, "identity", old.owner_url)
    bo = uuid4()
    token = await asyncio.to_thread(old.signed_in, "bo@example.com", bo)
    with psycopg.connect(old.url, autocommit=True) as rows:
        with pytest.raises(psycopg.errors.UniqueViolation) as taken:
            rows.execute(OLD_INSERT_USER, (uuid4(), "bo@example.com", "bo@example.com", None, ""))
        assert taken.value.diag.constraint_name == "uq_users_email_key"  # by which it tells EMAIL_TAKEN
        sids = [token[2:].rpartition(".")[0], old.token[2:].rpartition(".")[0]]
        assert len(rows.execute(OLD_VALID_SESSIONS, (sids,)).fetchall()) == 2
        # Whom the new code deletes, the old code refuses.
        rows.execute("UPDATE users SET state = 'DELETED', delete_time = now() WHERE user_id = %s", (bo,))
        assert len(rows.execute(OLD_VALID_SESSIONS, (sids,)).fetchall()) == 1
        rows.execute("DELETE FROM users WHERE user_id = %s", (old.user_id,))
    async with running_identity(old.settings) as service:
        assert await validate(SessionServiceStub(service.channel), token, old.token) == ["SESSION_INVALID"] * 2
