"""Requests as Envoy asks about them, what it is told to do with them, and the people who send them."""

import json
from dataclasses import dataclass

from protos.extauthz.v1 import external_auth_pb2 as pb
from shared.reasons import Reason
from tenantry.testing.people import People, TestPerson

READ = {"permission": "project:read", "project": "path:2"}


@dataclass(frozen=True)
class Dashboard:
    """Ada owns acme with the project api, where bo is VIEWER by inheritance and cy EDITOR; zoe is nobody there."""

    ada: TestPerson
    bo: TestPerson
    cy: TestPerson
    zoe: TestPerson
    acme: str
    api: str

    @property
    def path(self) -> str:
        return f"/projects/{self.api}/containers"


async def a_dashboard(people: People) -> Dashboard:
    ada, bo, cy, zoe = await people.persons(4)
    acme = await people.organization(ada, MEMBER=[bo, cy])
    return Dashboard(ada, bo, cy, zoe, acme, await people.project(acme, ada, EDITOR=cy))


def edge_request(
    path: str = "/", headers: dict[str, str] | None = None, method: str = "GET", **extensions: str
) -> pb.CheckRequest:
    """`extensions` are what Envoy's configuration says about the route."""
    http = pb.AttributeContext.HttpRequest(method=method, path=path, host="api.example.com", headers=headers or {})
    return pb.CheckRequest(
        attributes=pb.AttributeContext(request=pb.AttributeContext.Request(http=http), context_extensions=extensions)
    )


def bearer(person: TestPerson, **others: str) -> dict[str, str]:
    return {"authorization": f"Bearer {person.token}", **{name.replace("_", "-"): v for name, v in others.items()}}


def passed_on(response: pb.CheckResponse) -> tuple[dict[str, str], set[str]]:
    """Of a request that gets through: the headers that are set, and those that are removed."""
    assert response.WhichOneof("http_response") == "ok_response", response
    assert response.status.code == 0
    ok = response.ok_response
    assert {header.append_action for header in ok.headers} == {pb.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD}
    headers = {header.header.key: header.header.value for header in ok.headers}
    assert len(headers) == len(ok.headers)
    assert not headers.keys() & set(ok.headers_to_remove)
    # None of these may ever come from outside.
    assert {"x-user-id", "x-organization-role", "x-project-role"} <= headers.keys() | set(ok.headers_to_remove)
    return headers, set(ok.headers_to_remove)


def refused(response: pb.CheckResponse) -> tuple[int, str]:
    """The HTTP status and the reason, of a body as REST errors have it."""
    assert response.WhichOneof("http_response") == "denied_response", response
    denied = response.denied_response
    headers = {header.header.key: header.header.value for header in denied.headers}
    body = json.loads(denied.body)
    details = {detail["@type"].rpartition(".")[2]: detail for detail in body["details"]}
    info = details["ErrorInfo"]
    expected = {"content-type": "application/json"} | ({"www-authenticate": "Bearer"} if body["code"] == 16 else {})
    assert headers == expected
    assert (denied.status.code, body["code"]) in ((401, 16), (403, 7))
    assert response.status.code == body["code"]
    assert info["domain"] == "tenantry"
    assert body["message"].startswith(Reason[info["reason"]].value.happened[:20])
    assert details["Help"]["links"][0]["url"] == f"docs/errors.md#{info['reason']}"
    return denied.status.code, info["reason"]
