"""The session cookie: when identity sets and clears it, exactly how, and that a real Express app reads it."""

import asyncio
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import grpc
import pytest

from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.credentials_pb2 import ChangePasswordRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import CreateUserRequest, DeleteUserRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, identity_settings, running_identity
from tenantry.testing.people import AS_OPERATOR, Metadata, People
from tests.calls import code
from tests.identity.conftest import Rows, validate
from tests.identity.express_app import express_app
from tests.identity.sign_ins import PASSWORD, WRONG, person_with_factor, with_password

pytestmark = pytest.mark.usefixtures("nobody_throttled")

OVER_TLS: Metadata = (("x-set-session-cookie", "secure"),)
PLAIN: Metadata = (("x-set-session-cookie", "plain"),)
NO_HOST = "__Host-connect.sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"
NO_PLAIN = "connect.sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
CLEARED = [NO_HOST, NO_PLAIN]
ONE_WAITS_FOR_THE_OTHER = """SELECT FROM pg_stat_activity AS activity, unnest(pg_blocking_pids(activity.pid)) AS other
                              WHERE pg_backend_pid() = ANY (pg_blocking_pids(other))"""


def encoded(token: str) -> str:
    """As JavaScript's encodeURIComponent does, for the characters that tokens have."""
    return token.replace(":", "%3A").replace("+", "%2B").replace("/", "%2F")


def over_tls(token: str) -> list[str]:
    name = "__Host-connect.sid"
    return [f"{name}={encoded(token)}; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax; Secure", NO_PLAIN]


async def set_by(call: Any) -> list[str]:
    """What a call answers a browser with, whether it succeeds or not."""
    await code(call)
    return [str(value) for key, value in await call.initial_metadata() if key == "set-cookie"]


async def test_over_tls_the_cookie_has_the_name_that_only_this_host_can_set(
    sessions: SessionServiceStub, people: People
) -> None:
    call = sessions.CreateSession(with_password(await people.person("ada", PASSWORD)), metadata=OVER_TLS)
    assert await set_by(call) == over_tls((await call).token)


async def test_without_tls_it_has_the_plain_name_and_the_other_does_not_stay_in_its_way(
    sessions: SessionServiceStub, people: People
) -> None:
    call = sessions.CreateSession(with_password(await people.person("ada", PASSWORD)), metadata=PLAIN)
    cookie = f"connect.sid={encoded((await call).token)}; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax"
    assert await set_by(call) == [NO_HOST, cookie]


@pytest.mark.parametrize("asked", [(), (("x-set-session-cookie", "yes"),), (("x-set-session-cookie", ""),)])
async def test_who_does_not_ask_for_a_cookie_gets_none(
    sessions: SessionServiceStub, people: People, asked: Metadata
) -> None:
    ada = await people.person("ada", PASSWORD)
    assert await set_by(sessions.CreateSession(with_password(ada), metadata=asked)) == []
    assert await set_by(sessions.RevokeSession(pb.RevokeSessionRequest(), metadata=(*ada.metadata, *asked))) == []


async def test_who_fails_gets_none(sessions: SessionServiceStub, users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada", PASSWORD)
    mine = (*ada.metadata, *OVER_TLS)
    change = ChangePasswordRequest(current_password=WRONG, new_password="walnut glacier piano")
    for call in (
        sessions.CreateSession(with_password(ada, WRONG), metadata=OVER_TLS),
        sessions.RefreshSession(pb.RefreshSessionRequest(password=WRONG), metadata=mine),
        sessions.RevokeSession(pb.RevokeSessionRequest(session_id="x"), metadata=mine),
        users.ChangePassword(change, metadata=mine),
        users.DeleteUser(DeleteUserRequest(etag="99"), metadata=mine),
    ):
        assert await code(call) != "OK"
        assert await set_by(call) == []


async def test_only_the_second_of_two_steps_sets_it(pair: Pair, sessions: SessionServiceStub, people: People) -> None:
    ada, app, _ = await person_with_factor(people, pair)
    first = sessions.CreateSession(with_password(ada), metadata=OVER_TLS)
    assert await set_by(first) == []
    token = (await first).challenge.challenge_token
    wrong = pb.CreateSessionRequest(challenge_token=token, code="wrong")
    assert await set_by(sessions.CreateSession(wrong, metadata=OVER_TLS)) == []
    second = sessions.CreateSession(pb.CreateSessionRequest(challenge_token=token, code=app.now()), metadata=OVER_TLS)
    assert await set_by(second) == over_tls((await second).token)


async def test_a_new_token_takes_the_place_of_the_old_one(
    sessions: SessionServiceStub, users: UserServiceStub, people: People
) -> None:
    ada = await people.person("ada", PASSWORD)
    refresh = sessions.RefreshSession(pb.RefreshSessionRequest(password=PASSWORD), metadata=(*ada.metadata, *OVER_TLS))
    token = (await refresh).token
    assert await set_by(refresh) == over_tls(token)
    mine = (("cookie", f"__Host-connect.sid={encoded(token)}"), *OVER_TLS)
    request = ChangePasswordRequest(current_password=PASSWORD, new_password="walnut glacier piano")
    change = users.ChangePassword(request, metadata=mine)
    assert await set_by(change) == over_tls((await change).token)


@pytest.mark.parametrize("asked", [OVER_TLS, PLAIN])
async def test_signing_out_clears_it_under_both_names(
    sessions: SessionServiceStub, users: UserServiceStub, people: People, asked: Metadata
) -> None:
    ada, bo, cy = [await people.person() for _ in range(3)]
    named = pb.RevokeSessionRequest(session_id=bo.session_id, request_id=str(uuid4()))
    for call in (
        sessions.RevokeSession(pb.RevokeSessionRequest(), metadata=(*ada.metadata, *asked)),
        sessions.RevokeSession(named, metadata=(*bo.metadata, *asked)),
        users.DeleteUser(DeleteUserRequest(), metadata=(*cy.metadata, *asked)),
    ):
        assert await set_by(call) == CLEARED
    assert set(await validate(sessions, ada.token, bo.token, cy.token)) == {"SESSION_INVALID"}


async def test_a_repeat_clears_it_too(sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    """One that has come while the session was there still: later ones are of nobody."""
    ada = await people.person()
    request = pb.RevokeSessionRequest(request_id=str(uuid4()))
    async with rows.transaction():
        await rows.execute("SELECT FROM session WHERE sid = %s FOR UPDATE", (ada.sid,))
        calls = [sessions.RevokeSession(request, metadata=(*ada.metadata, *OVER_TLS)) for _ in range(2)]
        while await (await rows.execute(ONE_WAITS_FOR_THE_OTHER)).fetchone() is None:
            assert not any(call.done() for call in calls)
    assert [await set_by(call) for call in calls] == [CLEARED, CLEARED]


async def test_what_ends_other_sessions_leaves_it(
    sessions: SessionServiceStub, users: UserServiceStub, people: People
) -> None:
    ada = await people.person()
    other = await people.session(ada)
    mine, services = (*ada.metadata, *OVER_TLS), (*AS_OPERATOR, *OVER_TLS)
    by_service = pb.RevokeSessionRequest(user_id=ada.user_id, session_id=ada.session_id)
    for call in (
        sessions.RevokeSession(pb.RevokeSessionRequest(session_id=other.session_id), metadata=mine),
        sessions.RevokeOtherSessions(pb.RevokeOtherSessionsRequest(), metadata=mine),
        sessions.RevokeSession(by_service, metadata=services),
        users.DeleteUser(DeleteUserRequest(user_id=ada.user_id), metadata=services),
    ):
        assert await set_by(call) == []


async def test_express_reads_it_and_signs_out_of_it(pair: Pair, sessions: SessionServiceStub, people: People) -> None:
    secrets = ",".join(secret.get_secret_value() for secret in pair.identity_settings.session_secrets)
    ada = await people.person("ada", PASSWORD)
    cookie = (await set_by(sessions.CreateSession(with_password(ada), metadata=OVER_TLS)))[0].partition(";")[0]
    async with express_app(pair.identity.database_url, secrets, cookie_name="__Host-connect.sid") as app:
        reply = await asyncio.to_thread(app.call, "GET", "/me", cookie=cookie)
        assert (reply.status, reply.body) == (200, {"userId": ada.user_id})
        await asyncio.to_thread(app.call, "POST", "/logout", cookie=cookie)
        assert await validate(sessions, unquote(cookie.partition("=")[2])) == ["SESSION_INVALID"]


async def test_a_name_with_the_prefix_gets_it_once_and_is_always_secure(databases: Databases) -> None:
    url = databases.service_url("identity", databases.copy("identity"))
    new = CreateUserRequest(email="ada@example.com", password=PASSWORD)
    async with running_identity(identity_settings(url, SESSION_COOKIE_NAME="__Host-sid")) as service:
        sessions = SessionServiceStub(service.channel)
        await UserServiceStub(service.channel).CreateUser(new, metadata=AS_OPERATOR)
        call = sessions.CreateSession(with_password(new.email), metadata=PLAIN)
        value = encoded((await call).token)
        expected = f"__Host-sid={value}; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax; Secure"
        assert await set_by(call) == [expected]
        ask = pb.GetSessionRequest()
        assert await code(sessions.GetSession(ask, metadata=(("cookie", f"__Host-sid={value}"),))) == "OK"
        for name in ("sid", "connect.sid", "__Host-connect.sid"):
            with pytest.raises(grpc.aio.AioRpcError):
                await sessions.GetSession(ask, metadata=(("cookie", f"{name}={value}"),))
