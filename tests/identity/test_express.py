"""A real Express app shares the sessions: made on either side, valid and ended on both."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest
from uuid_utils.compat import uuid7

from identity_service import tokens
from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import CreateUserRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, identity_settings, running_identity
from tenantry.testing.people import AS_OPERATOR, People
from tests.identity.conftest import Rows
from tests.identity.express_app import ExpressApp, Reply, express_app

WEEK = 7 * 86400


@pytest.fixture(scope="module")
async def express(pair: Pair) -> AsyncIterator[ExpressApp]:
    secrets = ",".join(secret.get_secret_value() for secret in pair.identity_settings.session_secrets)
    async with express_app(pair.identity.database_url, secrets, max_age=WEEK * 1000) as app:
        yield app


async def call(app: ExpressApp, method: str, path: str, token: str | None = None) -> Reply:
    """Without holding up identity, which runs in this process."""
    return await asyncio.to_thread(app.call, method, path, token)


async def is_valid(sessions: SessionServiceStub, token: str) -> bool:
    request = pb.BatchValidateSessionsRequest(tokens=[token])
    [result] = (await sessions.BatchValidateSessions(request, metadata=AS_OPERATOR)).results
    return result.HasField("session")


async def signed_in_at_express(app: ExpressApp, user_id: str) -> str:
    reply = await call(app, "POST", f"/login/{user_id}")
    assert reply.status == 200
    assert reply.token is not None
    return reply.token


async def row(rows: Rows, token: str) -> tuple[float, float]:
    """Seconds until its end and until its absolute limit."""
    query = """SELECT extract(epoch FROM expire - now()), extract(epoch FROM absolute_expires_at - now())
                 FROM session WHERE sid = %s"""
    found = await (await rows.execute(query, (token[2:].rpartition(".")[0],))).fetchone()
    assert found is not None
    return float(found[0]), float(found[1])


async def test_express_accepts_a_session_made_by_identity(
    pair: Pair, sessions: SessionServiceStub, express: ExpressApp
) -> None:
    new = CreateUserRequest(email=f"ada.{uuid4().hex[:8]}@example.com", password="tulip orbit canyon")
    user = (await UserServiceStub(pair.identity.channel).CreateUser(new, metadata=AS_OPERATOR)).user
    sign_in = pb.CreateSessionRequest(email=new.email, password=new.password)
    token = (await sessions.CreateSession(sign_in)).token
    for _ in range(2):
        reply = await call(express, "GET", "/me", token)
        assert (reply.status, reply.body) == (200, {"userId": user.user_id})
    assert await is_valid(sessions, token)


async def test_identity_accepts_and_lists_a_session_made_by_express(
    sessions: SessionServiceStub, people: People, express: ExpressApp
) -> None:
    ada = await people.person("ada")
    token = await signed_in_at_express(express, ada.user_id)
    found = await sessions.ValidateSession(pb.ValidateSessionRequest(token=token), metadata=AS_OPERATOR)
    assert found.session.user_id == ada.user_id
    assert (found.session.ip, found.session.user_agent) == ("", "")
    listed = await sessions.ListSessions(pb.ListSessionsRequest(), metadata=ada.metadata)
    assert [session.session_id for session in listed.sessions] == [found.session.session_id, ada.session_id]
    own = await sessions.GetSession(pb.GetSessionRequest(), metadata=(("authorization", f"Bearer {token}"),))
    assert own.session.session_id == found.session.session_id


async def test_signing_out_of_express_ends_it_for_both(
    sessions: SessionServiceStub, people: People, express: ExpressApp
) -> None:
    ada = await people.person("ada")
    for token in (ada.token, await signed_in_at_express(express, ada.user_id)):
        assert (await call(express, "GET", "/me", token)).status == 200
        assert (await call(express, "POST", "/logout", token)).status == 200
        assert not await is_valid(sessions, token)
        assert (await call(express, "GET", "/me", token)).status == 401


async def test_revoking_in_identity_ends_it_for_both(
    sessions: SessionServiceStub, people: People, express: ExpressApp
) -> None:
    ada = await people.person("ada")
    for token in (ada.token, await signed_in_at_express(express, ada.user_id)):
        assert (await call(express, "GET", "/me", token)).status == 200
        await sessions.RevokeSession(pb.RevokeSessionRequest(), metadata=(("authorization", f"Bearer {token}"),))
        assert not await is_valid(sessions, token)
        assert (await call(express, "GET", "/me", token)).status == 401


async def test_a_late_write_of_express_revives_nothing(
    sessions: SessionServiceStub, people: People, express: ExpressApp
) -> None:
    ada = await people.person("ada")
    slow = await asyncio.to_thread(express.begin, "GET", "/slow", ada.token)
    request = pb.RevokeUserSessionsRequest(user_id=ada.user_id)
    assert (await sessions.RevokeUserSessions(request, metadata=AS_OPERATOR)).revoked_count == 1
    await call(express, "POST", "/release")
    assert await asyncio.to_thread(slow.end) == {"userId": ada.user_id}  # it was read before
    assert not await is_valid(sessions, ada.token)
    assert (await call(express, "GET", "/me", ada.token)).status == 401


async def test_a_write_in_time_is_kept(sessions: SessionServiceStub, people: People, express: ExpressApp) -> None:
    """The counterpart of the late write: the same request without the revocation."""
    ada = await people.person("ada")
    slow = await asyncio.to_thread(express.begin, "GET", "/slow", ada.token)
    await call(express, "POST", "/release")
    await asyncio.to_thread(slow.end)
    assert await is_valid(sessions, ada.token)


async def test_express_does_not_go_past_the_absolute_limit(people: People, express: ExpressApp, rows: Rows) -> None:
    ada = await people.person("ada")
    token = await signed_in_at_express(express, ada.user_id)
    end, limit = await row(rows, token)
    assert end == limit  # its cookies live for a week
    assert 43_190 < limit <= 43_200
    near = "UPDATE session SET absolute_expires_at = date_trunc('second', now()) + interval '100 s' WHERE user_id = %s"
    await rows.execute(near, (ada.user_id,))
    for used in (token, ada.token):
        assert (await call(express, "GET", "/me", used)).status == 200
        end, limit = await row(rows, used)
        assert end == limit < 101


async def test_express_moves_the_end_of_identity_s_sessions_by_their_own_age(
    people: People, express: ExpressApp, rows: Rows
) -> None:
    ada = await people.person("ada")
    await rows.execute("UPDATE session SET expire = now() + interval '60 s' WHERE sid = %s", (ada.sid,))
    await call(express, "GET", "/me", ada.token)
    end, _ = await row(rows, ada.token)
    assert 1790 < end < 1802


async def test_an_object_where_the_user_should_be_is_nobody_here(
    sessions: SessionServiceStub, express: ExpressApp
) -> None:
    """OAuth strategies store objects with tokens in them; they must fit the index of users."""
    reply = await call(express, "POST", f"/login-with-passport/{uuid4()}")
    assert reply.status == 200
    assert reply.token is not None
    assert not await is_valid(sessions, reply.token)


async def test_a_forged_cookie_is_nobody_for_both(
    sessions: SessionServiceStub, people: People, express: ExpressApp
) -> None:
    ada = await people.person("ada")
    for forged in (tokens.sign(ada.sid, b"another secret than theirs, as long"), ada.sid, f"{ada.token}="):
        assert (await call(express, "GET", "/me", forged)).status == 401
        assert not await is_valid(sessions, forged)


async def test_both_agree_where_the_database_has_another_time_zone(databases: Databases) -> None:
    url = databases.service_url("identity", databases.copy("identity", time_zone="Asia/Kolkata"))
    settings = identity_settings(url)
    [secret] = (secret.get_secret_value() for secret in settings.session_secrets)
    user_id = str(uuid7())
    with psycopg.connect(url, autocommit=True) as rows:
        rows.execute("INSERT INTO users VALUES (%s, 'a@example.com', 'a@example.com', NULL, '')", (user_id,))
    async with running_identity(settings) as service:
        sessions = SessionServiceStub(service.channel)
        async with express_app(url, secret, max_age=60_000) as app:
            token = await signed_in_at_express(app, user_id)
            found = await sessions.ValidateSession(pb.ValidateSessionRequest(token=token), metadata=AS_OPERATOR)
            lifetime = found.session.expire_time.seconds - found.session.create_time.seconds
            assert 58 <= lifetime <= 62
            await sessions.RevokeUserSessions(pb.RevokeUserSessionsRequest(user_id=user_id), metadata=AS_OPERATOR)
            assert (await call(app, "GET", "/me", token)).status == 401
