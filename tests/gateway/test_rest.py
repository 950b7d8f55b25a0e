"""JSON over HTTP through a real Envoy: the same answers and the same errors as over gRPC."""

import json
import uuid

import httpx
import pytest

from tenantry.testing.people import People
from tests.gateway.gateways import Gateway

JSON = "application/json"


def error(response: httpx.Response) -> tuple[int, int, str]:
    """HTTP's status, the gRPC code and the reason."""
    assert response.headers["content-type"] == JSON, response.text
    told = response.json()
    assert told["message"]
    assert told["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert told["details"][0]["domain"] == "tenantry"
    return response.status_code, told["code"], told["details"][0]["reason"]


async def test_an_organization_is_created_read_listed_and_deleted_by_its_path(gateway: Gateway, people: People) -> None:
    ada = await people.person("ada")
    wanted = {"slug": people.slug(), "display_name": "Acme"}
    made = await gateway.call("POST", "/v1/organizations", ada.token, json=wanted)
    assert made.status_code == 200, made.text
    organization = made.json()["organization"]
    path = f"/v1/organizations/{organization['organizationId']}"
    assert (await gateway.call("GET", path, ada.token)).json()["organization"] == organization
    by_slug = await gateway.call("GET", f"/v1/organizations/slug/{organization['slug']}", ada.token)
    assert by_slug.json()["organization"] == organization
    listed = await gateway.call("GET", "/v1/organizations?page_size=5", ada.token)
    assert [each["organizationId"] for each in listed.json()["organizations"]] == [organization["organizationId"]]
    renamed = await gateway.call("PATCH", path, ada.token, json={"display_name": "Acme Ltd"})
    assert renamed.json()["organization"]["displayName"] == "Acme Ltd"
    assert (await gateway.call("DELETE", path, ada.token)).status_code == 200


async def test_access_is_checked_by_a_custom_verb(gateway: Gateway, people: People) -> None:
    ada, bo = await people.persons(2)
    organization = await people.organization(ada)
    question = {"organization_id": organization, "permission": "organization:read"}
    yes = await gateway.call("POST", "/v1/access:checkAccess", ada.token, json=question)
    no = await gateway.call("POST", "/v1/access:checkAccess", bo.token, json=question)
    assert (yes.json()["allowed"], no.json()["allowed"]) == (True, False)


async def test_errors_are_json_with_the_whole_status(gateway: Gateway, people: People) -> None:
    ada = await people.person()
    assert error(await gateway.call("GET", "/v1/organizations")) == (401, 16, "SESSION_REQUIRED")
    assert error(await gateway.call("GET", "/v1/organizations", "forged")) == (401, 16, "SESSION_INVALID")
    unknown = await gateway.call("GET", f"/v1/projects/{uuid.uuid4()}", ada.token)
    assert error(unknown) == (403, 7, "PERMISSION_DENIED")
    bad = await gateway.call("POST", "/v1/organizations", ada.token, json={"slug": "x"})
    assert error(bad) == (400, 3, "BAD_REQUEST")
    [violations] = [each for each in bad.json()["details"] if each["@type"].endswith("google.rpc.BadRequest")]
    assert "slug" in [each["field"] for each in violations["fieldViolations"]]


@pytest.mark.parametrize(
    ("method", "path", "options", "expected"),
    [
        ("GET", "/v1/nothing", {}, (404, 5, "PATH_UNKNOWN")),
        ("DELETE", "/v1/permissions", {}, (404, 5, "PATH_UNKNOWN")),
        ("GET", "/v1/permissions?no_such=1", {}, (400, 3, "MALFORMED_REQUEST")),
        ("POST", "/v1/access:checkAccess", {"content": b"{"}, (400, 3, "MALFORMED_REQUEST")),
        ("POST", "/v1/access:checkAccess", {"content": b'{"permission": 1}'}, (400, 3, "MALFORMED_REQUEST")),
        ("GET", "/v1/projects/%2e%2e%2fx", {}, (400, 3, "MALFORMED_REQUEST")),
        ("POST", "/v1/access:checkAccess", {"content": b" " * 300_000}, (413, 3, "REQUEST_TOO_LARGE")),
        ("GET", "/v1/permissions", {"headers": {"x-long": "x" * 20_000}}, (431, 3, "REQUEST_TOO_LARGE")),
        ("GET", "/v1/permissions", {"headers": {"x_user_id": "1"}}, (400, 3, "MALFORMED_REQUEST")),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_errors_of_the_gateway_itself_are_json_too(
    gateway: Gateway, people: People, method: str, path: str, options: dict[str, object], expected: tuple[int, int, str]
) -> None:
    ada = await people.person()
    assert error(await gateway.call(method, path, ada.token, **options)) == expected


async def test_a_page_token_leads_on_over_http(gateway: Gateway, people: People) -> None:
    ada = await people.person()
    made = {await people.organization(ada) for _ in range(3)}
    found: set[str] = set()
    token = ""
    while True:
        page = (await gateway.call("GET", f"/v1/organizations?page_size=2&page_token={token}", ada.token)).json()
        found |= {each["organizationId"] for each in page["organizations"]}
        token = page["nextPageToken"]
        if not token:
            break
    assert found == made


async def test_the_log_of_access_holds_no_credential_and_no_query(gateway: Gateway, people: People) -> None:
    ada, path = await people.person(), f"/v1/projects/{uuid.uuid4()}"
    cookie = {"cookie": "connect.sid=secret-cookie"}
    await gateway.call("GET", f"{path}?view=secret-query", ada.token, headers=cookie)
    log = await gateway.logged(path)
    assert ada.token not in log
    assert "secret-" not in log
    [line] = [json.loads(line) for line in log.splitlines() if path in line]
    assert (line["method"], line["path"], line["status"], line["client"]) == ("GET", path, 400, "127.0.0.1")
