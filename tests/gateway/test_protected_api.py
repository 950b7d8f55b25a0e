"""An API with no authentication of its own behind a real Envoy: nobody reaches it but who may, by their own name."""

import asyncio
import random
from collections.abc import AsyncIterator
from posixpath import normpath
from typing import Any
from urllib.parse import quote, unquote

import grpc
import pytest

from protos.identity.v1.sessions_pb2 import RevokeSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import People
from tests.gateway.odd_requests import Odd, odd_request
from tests.gateway.protected import NAMED, Protected, Reached, Team, a_team, running_dashboard
from tests.gateway.test_rest import error

SPOOFED = ["x-user-id: mallory", "X-User-ID: mallory", "x-organization-role: OWNER", "X-Project-Role: ADMIN"]
ODD_REQUESTS = 240


@pytest.fixture(scope="module")
async def dashboard(pair: Pair) -> AsyncIterator[Protected]:
    async with running_dashboard(pair) as protected:
        yield protected


@pytest.fixture(autouse=True)
def nothing_reached_yet(dashboard: Protected) -> None:
    dashboard.reached.clear()


@pytest.fixture(scope="module")
async def team(people: People) -> Team:
    return await a_team(people)


def listing(project_id: str) -> str:
    return f"/projects/{project_id}/containers"


def restarting(project_id: str) -> str:
    return f"/projects/{project_id}/containers/web:restart"


async def test_who_may_gets_through_and_the_api_is_told_who_it_is(dashboard: Protected, team: Team) -> None:
    call = dashboard.gateway.call
    seen = await call("GET", listing(team.api), team.bo.token)
    assert seen.status_code == 200, seen.text
    assert seen.json()["you"] == {"user_id": team.bo.user_id, "role": "VIEWER"}
    restarted = await call("POST", restarting(team.api), team.cy.token)
    assert restarted.json() == {
        "you": {"user_id": team.cy.user_id, "role": "EDITOR"}, "name": "web", "state": "running", "restarts": 1,
    }  # fmt: skip
    assert [request.headers["x-organization-role"] for request in dashboard.reached] == ["MEMBER", "MEMBER"]


async def test_who_may_not_is_refused_before_it(dashboard: Protected, team: Team) -> None:
    call = dashboard.gateway.call
    assert error(await call("POST", restarting(team.api), team.bo.token)) == (403, 7, "PERMISSION_DENIED")
    hidden = await call("GET", listing(team.api), team.zoe.token)
    absent = await call("GET", listing("00000000-0000-7000-8000-000000000000"), team.zoe.token)
    assert error(hidden) == (403, 7, "PERMISSION_DENIED")
    assert (hidden.status_code, hidden.content) == (absent.status_code, absent.content)
    nobody = await call("GET", listing(team.api))
    assert error(nobody) == (401, 16, "SESSION_REQUIRED")
    assert nobody.headers["www-authenticate"] == "Bearer"
    assert error(await call("GET", listing(team.api), "forged")) == (401, 16, "SESSION_INVALID")
    assert error(await call("GET", listing("acme"), team.ada.token)) == (403, 7, "PLACE_UNCLEAR")
    for method, path in (("GET", "/"), ("GET", "/admin"), ("DELETE", listing(team.api)), ("GET", restarting(team.api))):
        assert error(await call(method, path, team.ada.token)) == (404, 5, "PATH_UNKNOWN")
    assert dashboard.reached == []


async def test_the_very_next_request_after_a_change_is_refused(
    pair: Pair, people: People, dashboard: Protected, team: Team
) -> None:
    call, sessions = dashboard.gateway.call, SessionServiceStub(pair.identity.channel)
    for _ in range(10):
        cy = await people.session(team.cy)
        assert (await call("POST", restarting(team.api), cy.token)).status_code == 200
        await people.set_role(team.api, cy, "VIEWER", team.ada)
        assert (await call("POST", restarting(team.api), cy.token)).status_code == 403
        await people.set_role(team.api, cy, "EDITOR", team.ada)
        assert (await call("POST", restarting(team.api), cy.token)).status_code == 200
        await sessions.RevokeSession(RevokeSessionRequest(), metadata=cy.metadata)
        assert (await call("POST", restarting(team.api), cy.token)).status_code == 401
    assert len(dashboard.reached) == 20


async def test_nobody_says_who_they_are(dashboard: Protected, team: Team) -> None:
    assert await dashboard.status(listing(team.api), team.bo.token, *SPOOFED) == 200
    [request] = dashboard.reached
    assert [request.all_of(name) for name in NAMED] == [[team.bo.user_id], ["MEMBER"], ["VIEWER"]]
    assert await dashboard.status(listing(team.api), "", *SPOOFED) == 401
    assert await dashboard.status(listing(team.api), team.bo.token, "x_user_id: mallory") == 400
    # A name in Connection would have a proxy drop the header that ext_authz has set.
    await dashboard.status(listing(team.api), team.bo.token, "connection: x-user-id, x-project-role")
    assert {request.headers["x-user-id"] for request in dashboard.reached} == {team.bo.user_id}


async def test_the_credential_stays_at_the_gateway_and_other_cookies_go_on(dashboard: Protected, team: Team) -> None:
    cookie = f"connect.sid={quote(team.bo.token, safe='')}"
    for sent in (
        [f"cookie: theme=dark; {cookie}; lang=en"],
        [f"authorization: Bearer {team.bo.token}", f"cookie: theme=dark; __Host-{cookie}; lang=en"],
        [f"authorization: Bearer {team.bo.token}", "cookie: theme=dark", f"cookie: {cookie}", "cookie: lang=en"],
    ):
        assert await dashboard.status(listing(team.api), "", *sent) == 200
    for request in dashboard.reached:
        assert request.headers["x-user-id"] == team.bo.user_id
        assert team.bo.sid not in str(request.headers)
    assert [request.headers["cookie"] for request in dashboard.reached][:2] == ["theme=dark; lang=en"] * 2
    assert await dashboard.status(listing(team.api), "", f"cookie: {cookie}") == 200
    assert "cookie" not in dashboard.reached[-1].headers


async def test_a_route_without_a_permission_needs_a_session(dashboard: Protected, team: Team) -> None:
    assert await dashboard.status("/me", "") == 401
    assert dashboard.reached == []
    await dashboard.status("/me", team.zoe.token, *SPOOFED)
    [request] = dashboard.reached
    assert [request.all_of(name) for name in NAMED] == [[team.zoe.user_id], [], []]
    assert request.headers["authorization"] == f"Bearer {team.zoe.token}"


async def test_an_id_of_the_query_is_one_or_none(dashboard: Protected, team: Team) -> None:
    one, other = f"project_id={team.api}", f"project_id={team.zoes}"
    for query in (
        "", other, f"{one}&{other}", f"{one}&{one}", f"{one}&project%5fid={team.zoes}", f"{one}&PROJECT_ID={team.zoes}",
        f"{one}&project_id[]={team.zoes}", f"{one};{other}", f"{one}%26{other}",
        f"project_id=%{ord(team.api[0]):x}{team.api[1:]}",
    ):  # fmt: skip
        assert await dashboard.status(f"/containers?{query}", team.bo.token) == 403, query
    assert dashboard.reached == []
    await dashboard.status(f"/containers?a=b&{one}", team.bo.token)
    assert [request.path for request in dashboard.reached] == [f"/containers?a=b&{one}"]


async def test_in_grpc_a_refusal_is_a_status_with_its_text(dashboard: Protected, team: Team) -> None:
    call: Any = dashboard.gateway.channel.unary_unary("/containers.v1.Containers/List")
    for metadata, reason in (
        ((), Reason.SESSION_REQUIRED),
        ((*team.zoe.metadata, ("x-project-id", team.api)), Reason.PERMISSION_DENIED),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await call(b"", metadata=metadata)
        code, happened, next_step = reason.value
        assert (refusal.value.code(), refusal.value.details()) == (code, f"{happened} {next_step}")
    assert dashboard.reached == []


PATHS = {
    "//projects/API/containers": 200,  # one slash where there were two, for us and for the API
    "/projects//API/containers": 200,
    "/x/../projects/API/containers": 200,
    "/projects/ZOES/../API/containers": 200,
    "/projects/API/../ZOES/containers": 403,
    "/projects/API/containers/../../ZOES/containers": 403,
    "/projects/API/./containers": 200,
    "/projects/API/%2e%2e/ZOES/containers": 403,
    "/projects/API%2f..%2fZOES/containers": 400,
    "/projects/ZOES%2F..%2FAPI/containers": 400,
    "/projects/API%5c../containers": 400,
    "/projects/API\\..\\ZOES/containers": 403,
    "/projects/API;x=1/containers": 403,
    "/projects/API/..;/ZOES/containers": 403,
    "/projects/ZOES/..;/API/containers": 200,
    "/projects/%41PI/containers": 200,  # decoded before we and the API see it
    "/projects/API%00/containers": 400,
    "/projects/API%20/containers": 403,
    "/projects/%2e%2e%2fprojects/API/containers": 400,
    "/projects/API%252f..%252fZOES/containers": 403,
    "/PROJECTS/API/containers": 404,
    "/projects/API/Containers": 404,
    "/projects/API/containers/": 404,
    "/projects/API/containers/web:RESTART": 404,
    "/projects/API/containers/..%252f..": 404,
    "/projects/API/containers?project_id=ZOES": 200,
    "/projects/API/containers?x=/../../ZOES": 200,
    "/projects/API/containers#/../ZOES": 400,
    "/projects/ZOES?/../API/containers": 404,
    "http://api.example.com/projects/API/containers": 200,
    "http://x/projects/ZOES/containers": 403,
    "*": 400,
    "projects/API/containers": 400,
}


@pytest.mark.parametrize(("path", "status"), PATHS.items(), ids=PATHS)
async def test_a_path_has_one_reading_or_none(dashboard: Protected, team: Team, path: str, status: int) -> None:
    """Bo may see API and not ZOES."""
    encoded = path.replace("%41PI", f"%{ord(team.api[0]):x}{team.api[1:]}")
    sent = encoded.replace("API", team.api).replace("ZOES", team.zoes)
    assert await dashboard.status(sent, team.bo.token) == status
    assert len(dashboard.reached) == (status == 200)
    for request in dashboard.reached:
        belongs(request, team, team.bo.user_id)


async def test_an_id_in_capitals_is_the_same(dashboard: Protected, team: Team) -> None:
    assert await dashboard.status(listing(team.api.upper()), team.bo.token) == 200


async def test_without_identity_nothing_reaches_the_api(pair: Pair, dashboard: Protected, team: Team) -> None:
    dashboard.to_identity.target = "127.0.0.1:1"
    dashboard.to_identity.cut()
    try:
        for token in (team.ada.token, "forged"):
            answer = await dashboard.gateway.call("GET", listing(team.api), token)
            assert error(answer) == (503, 14, "SERVICE_UNAVAILABLE")
        assert dashboard.reached == []
    finally:
        dashboard.to_identity.target = pair.identity.address
        while await dashboard.status(listing(team.api), team.ada.token) == 503:  # noqa: ASYNC110 - the channel decides
            await asyncio.sleep(0.05)


async def test_of_many_odd_requests_none_reaches_the_api_as_somebody_else(dashboard: Protected, team: Team) -> None:
    chance = random.Random(6)
    sent: dict[str, Odd] = {}
    for number in range(ODD_REQUESTS):
        sent[str(number)] = odd_request(chance, team, number)
    waiting = iter(sent.values())

    async def send() -> None:
        for odd in waiting:
            await dashboard.status_of(odd.raw)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(send())
    for request in dashboard.reached:
        odd = sent[request.all_of("x-number")[0]]
        assert odd.user_id is not None, odd.raw
        belongs(request, team, odd.user_id)
    assert ODD_REQUESTS / 10 < len(dashboard.reached) < ODD_REQUESTS / 2


def belongs(request: Reached, team: Team, user_id: str) -> None:
    """It is theirs, on a project where their role allows it, however the API reads its path; no credential is left."""
    path = request.path.partition("?")[0]
    readings = {path, normpath(path), normpath(unquote(path)), normpath(unquote(unquote(path)).replace("\\", "/"))}
    readings |= {"/".join(segment.partition(";")[0] for segment in reading.split("/")) for reading in readings}
    projects = {normpath(reading).split("/")[2].lower() for reading in readings}
    roles = {team.role(user_id, project_id) for project_id in projects}
    [role] = roles
    assert role is not None
    assert request.all_of("x-user-id") == [user_id]
    assert request.all_of("x-project-role") == [role]
    assert len(request.all_of("x-organization-role")) == 1
    assert (request.method, role) in {("GET", "VIEWER"), ("GET", "EDITOR"), ("GET", "ADMIN")} | {
        ("POST", "EDITOR"),
        ("POST", "ADMIN"),
    }
    headers = str(request.headers)
    assert not any(person.sid in headers for person in (team.ada, team.bo, team.cy, team.zoe))
