"""What Envoy's request is read for: one clear credential and one clear place. Anything else lets nobody through."""

import json
from urllib.parse import quote
from uuid import uuid4

import grpc
import pytest
import structlog.testing

from protos.extauthz.v1.external_auth_pb2_grpc import AuthorizationStub
from tenantry.testing.people import People
from tests.tenancy.edge_requests import READ, Dashboard, a_dashboard, bearer, edge_request, passed_on, refused

OTHER = str(uuid4())


@pytest.fixture(scope="module")
async def world(people: People) -> Dashboard:
    return await a_dashboard(people)


@pytest.fixture(scope="module")
def edge(tenancy: grpc.aio.Channel) -> AuthorizationStub:
    return AuthorizationStub(tenancy)


async def told_of(edge: AuthorizationStub, path: str, headers: dict[str, str], **rule: str) -> str:
    response = await edge.Check(edge_request(path, headers, **rule))
    return "OK" if response.HasField("ok_response") else refused(response)[1]


async def test_an_id_of_the_path(edge: AuthorizationStub, world: Dashboard) -> None:
    api, to = world.api, bearer(world.ada)
    for path in ("/p/ID", "/p/ID/", f"/p/{api.upper()}", "/p/ID?x=/../y", "/p/ID/a%20b;v=1/c.d/..e"):
        assert await told_of(edge, path.replace("ID", api), to, **READ) == "OK", path
    for path in (
        "", "*", "p/ID", "ID/ID", "/", "/ID", "/p", "/p/", "/p/?/ID", "/p/IDx", "/p/{ID}", "/p/urn:uuid:ID", "/p/ID ",
        f"/p/{api.replace('-', '')}", f"/p/%{ord(api[0]):x}{api[1:]}", "/p/ID%20", "//ID/x", "/p//ID", "/p/x/ID",
        "/p/ID//x", "/p/ID/../OTHER", "/p/ID/./x", "/p/ID/..", "/p/ID/%2e%2E/OTHER", "/p/ID/..;/OTHER", "/p/ID/.;x=1/y",
        "/p/ID;x=1", "/p/ID/;/x", "/p/ID/%2F..", "/p/ID%2fx", "/p/ID/%5c..%5C", "/p/ID/..\\OTHER", "/p/ID/%252e%252e/x",
        "/p/ID/%25252f", "/p/ID%00", "/p/ID/%00", "/p/ID/%c0%ae%c0%ae/x", "/p/ID/%u002e", "/p/ID#", "/p/ID/#/x",
        "/p/ID\n", "/p/ID/\n/x", "/p/ID/\u2024\u2024/x", "/p/ID\u200b",
    ):  # fmt: skip
        sent = path.replace("ID", api).replace("OTHER", OTHER)
        assert await told_of(edge, sent, to, **READ) == "PLACE_UNCLEAR", path


async def test_an_id_of_a_header(edge: AuthorizationStub, world: Dashboard) -> None:
    rule = {"permission": "project:read", "project": "header:x-project-id"}
    api, to, name = world.api, bearer(world.ada), "x-project-id"
    assert await told_of(edge, "/x", to | {name: api}, **rule) == "OK"
    odd: list[dict[str, str]] = [
        {}, {name: ""}, {name: f"{api},{api}"}, {name: f"{api},"}, {name: f" {api}"}, {name: f"{api}\n"},
        {name: f"{api[:-1]}%{ord(api[-1]):x}"}, {"x_project_id": api}, {name: api, "x-project_id": OTHER},
        {name + "s": api},
    ]  # fmt: skip
    for headers in odd:
        assert await told_of(edge, "/x", to | headers, **rule) == "PLACE_UNCLEAR", headers
    assert await told_of(edge, "/x", to | {name: OTHER}, **rule) == "PERMISSION_DENIED"


async def test_an_id_of_the_query(edge: AuthorizationStub, world: Dashboard) -> None:
    rule = {"permission": "project:read", "project": "query:project_id"}
    api, to = world.api, bearer(world.ada)
    one = f"project_id={api}"
    for query in ("ONE", "a=b&ONE&c", "&ONE&", "my_project_id=OTHER&ONE", "ONE&q=project_id%3DOTHER"):
        sent = query.replace("ONE", one).replace("OTHER", OTHER)
        assert await told_of(edge, f"/x?{sent}", to, **rule) == "OK", query
    for query in (
        "", "project_id", "project_id=", "ONE&ONE", "ONE&project_id=OTHER", "ONE&project_id", "ONE;ONE", "ONE%20",
        "ONE&project%5Fid=OTHER", "ONE&Project_Id=OTHER", "ONE&project_id[]=OTHER", "ONE&+project_id=OTHER", "a=b?ONE",
        "ONE&project_id%5B0%5D=OTHER", "ONE&project.id=OTHER", "ONE&project%20id=OTHER", f"project%5fid={api}",
        "ONE#", f"PROJECT_ID={api}", f"project_id=%{ord(api[0]):x}{api[1:]}", "ONE,OTHER",
    ):  # fmt: skip
        sent = query.replace("ONE", one).replace("OTHER", OTHER)
        assert await told_of(edge, f"/x?{sent}", to, **rule) == "PLACE_UNCLEAR", query
    assert await told_of(edge, f"/x?project_id={OTHER}", to, **rule) == "PERMISSION_DENIED"


async def test_a_place_that_is_unclear_is_named(edge: AuthorizationStub, world: Dashboard) -> None:
    for source, name in (
        ("path:2", "segment 2 of the path"), ("header:x-project-id", "the header x-project-id"),
        ("query:project_id", "the query parameter project_id"),
    ):  # fmt: skip
        response = await edge.Check(edge_request("/x", bearer(world.ada), project=source))
        assert refused(response) == (403, "PLACE_UNCLEAR")
        assert name in json.loads(response.denied_response.body)["message"]


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        ({"permission": "containers:veiw", "project": "path:2"}, "permission containers:veiw is not defined"),
        ({"permission": "", "project": "path:2"}, "permission  is not defined"),
        ({"permission": "project:read"}, "held on projects, and project is not set"),
        ({"permission": "project:read", "organization": "path:2"}, "held on projects, and project is not set"),
        ({"permission": "members:read"}, "needs organization or project"),
        ({"permision": "project:read", "project": "path:2"}, "unknown: permision; there are organization, permission"),
        ({"project": "path:0"}, "project is path:3, header:x-project-id or query:project_id"),
        ({"project": "path:x"}, "project is path:3"),
        ({"project": "path:-1"}, "project is path:3"),
        ({"project": "2"}, "project is path:3"),
        ({"project": ""}, "project is path:3"),
        ({"organization": "header:X-Acme"}, "organization is path:3, header:x-organization-id"),
        ({"organization": "cookie:acme"}, "organization is path:3"),
        ({"organization": "query:"}, "organization is path:3"),
        ({"organization": "path:1\n"}, "organization is path:3"),
        ({"remove_credential": "yes"}, "remove_credential is true or false"),
    ],
    ids=lambda value: "-".join(f"{k}={v!r}" for k, v in value.items()) if isinstance(value, dict) else "",
)
async def test_a_mistake_in_the_configuration_lets_nobody_through_and_is_told_once(
    edge: AuthorizationStub, world: Dashboard, rule: dict[str, str], mistake: str
) -> None:
    rule = rule | {"route": "GET /projects/{project_id}/containers"}
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            request = edge_request(world.path, bearer(world.ada), **rule)
            assert refused(await edge.Check(request)) == (403, "ROUTE_MISCONFIGURED")
    [line] = [line for line in lines if "set up wrongly" in line["event"]]
    assert mistake in line["mistake"]
    assert line["route"] == rule
    assert world.api not in str(line)


def cookie(value: str, **others: str) -> dict[str, str]:
    return {"cookie": value, **others}


async def test_the_session_cookie_by_both_its_names(edge: AuthorizationStub, world: Dashboard) -> None:
    ada, zoe = quote(world.ada.token, safe=""), quote(world.zoe.token, safe="")
    for value in (
        f"connect.sid={ada}",
        f"a=1; __Host-connect.sid={ada}; b",
        f"connect.sid={zoe}; __Host-connect.sid={ada}",
    ):
        headers, _ = passed_on(await edge.Check(edge_request("/", cookie(value))))
        assert headers["x-user-id"] == world.ada.user_id, value
    # The header counts before it; what is sent twice, or in two headers that Envoy has joined, is nobody's.
    headers, _ = passed_on(await edge.Check(edge_request("/", cookie(f"connect.sid={zoe}") | bearer(world.ada))))
    assert headers["x-user-id"] == world.ada.user_id
    for headers in (
        cookie(f"connect.sid={ada}; connect.sid={ada}"), cookie(f"connect.sid={ada},connect.sid={zoe}"),
        cookie(f"connect.sid={ada},a=1"), {"authorization": f"Bearer {world.ada.token},Bearer {world.ada.token}"},
        {"authorization": f"Bearer {world.ada.token},"}, cookie(f"connect.sid={ada}", authorization="Basic eDp5"),
        cookie(f"connect.sid={ada}", authorization=""),
    ):  # fmt: skip
        assert refused(await edge.Check(edge_request("/", headers))) == (401, "SESSION_INVALID"), headers
    for value in ("", "a=1", f"Connect.sid={ada}", f"a=1,connect.sid={ada}"):
        assert refused(await edge.Check(edge_request("/", cookie(value)))) == (401, "SESSION_REQUIRED"), value


async def test_the_credential_is_removed_if_asked_and_other_cookies_stay(
    edge: AuthorizationStub, world: Dashboard
) -> None:
    ada = quote(world.ada.token, safe="")
    ours = {"x-user-id": world.ada.user_id}
    roles = {"x-organization-role", "x-project-role"}
    host = f"__Host-connect.sid={ada}"

    async def asked(headers: dict[str, str]) -> tuple[dict[str, str], set[str]]:
        kept = passed_on(await edge.Check(edge_request("/", headers, remove_credential="false")))
        assert kept == (ours, roles)
        return passed_on(await edge.Check(edge_request("/", headers, remove_credential="true")))

    assert await asked(bearer(world.ada)) == (ours, roles | {"authorization"})
    assert await asked(cookie(host)) == (ours, roles | {"authorization", "cookie"})
    assert await asked(cookie(f"a=1; {host};connect.sid=old ; b=x=y;c")) == (
        ours | {"cookie": "a=1; b=x=y; c"}, roles | {"authorization"},
    )  # fmt: skip
    # Beside a bearer header a cookie is no less a credential, also where two headers were joined.
    assert await asked(bearer(world.ada, cookie=f"a=1, {host}; b=2, connect.sid; c=connect.sid=")) == (
        ours | {"cookie": "c=connect.sid="}, roles | {"authorization"},
    )  # fmt: skip
