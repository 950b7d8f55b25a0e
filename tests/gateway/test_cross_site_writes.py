"""What a page of somebody else can make a browser send, and what the gateway lets through of it (CSRF)."""

import json
from urllib.parse import quote

import httpx
import pytest

from tenantry.testing.people import People, TestPerson
from tests.gateway.conftest import ALLOWED_ORIGIN
from tests.gateway.gateways import Gateway

WRITE = "/v1/sessions:revokeOthers"
BY_SCRIPT = {"x-requested-with": "fetch"}
FOREIGN = {"origin": "https://evil.example"}
Headers = dict[str, str]


@pytest.fixture
async def ada(people: People) -> TestPerson:
    return await people.person("ada")


def cookie(person: TestPerson, name: str = "connect.sid") -> Headers:
    return {"cookie": f"{name}={quote(person.token, safe='')}"}


async def write(gateway: Gateway, headers: Headers) -> tuple[int, str]:
    """HTTP's status and the reason."""
    answer = await gateway.call("POST", WRITE, content=b"{}", headers=headers)
    reason = "" if answer.status_code == 200 else answer.json()["details"][0]["reason"]
    return answer.status_code, reason


OK = (200, "")
REFUSED = (403, "CROSS_SITE_WRITE")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, REFUSED),
        (FOREIGN, REFUSED),
        ({"origin": "null"}, REFUSED),
        ({"origin": ""}, REFUSED),
        ({"origin": f"{ALLOWED_ORIGIN}.evil.example"}, REFUSED),
        ({"origin": f"{ALLOWED_ORIGIN}:444"}, REFUSED),
        ({"origin": ALLOWED_ORIGIN.replace("https", "http")}, REFUSED),
        ({"referer": f"{ALLOWED_ORIGIN}/page"}, REFUSED),
        ({"sec-fetch-site": "same-origin"}, REFUSED),
        ({"x-http-method-override": "GET"}, REFUSED),
        ({"origin": ALLOWED_ORIGIN}, OK),
        (BY_SCRIPT, OK),
        (BY_SCRIPT | {"origin": ALLOWED_ORIGIN}, OK),
    ],
    ids=str,
)
async def test_a_write_with_the_cookie_shows_which_page_it_is_of(
    gateway: Gateway, ada: TestPerson, headers: Headers, expected: tuple[int, str]
) -> None:
    for name in ("connect.sid", "__Host-connect.sid"):
        assert await write(gateway, cookie(ada, name) | headers) == expected


@pytest.mark.parametrize(
    "text",
    ["theme=a; {}", "theme=a;{}", "theme=a;  {}", "theme=a;\t{}", "a; {}; b=c", "theme={}; {}", "{}; {}", "={}; {}"],
)
async def test_the_cookie_is_found_wherever_the_services_would_find_it(
    gateway: Gateway, ada: TestPerson, text: str
) -> None:
    found = cookie(ada)["cookie"]
    assert await write(gateway, {"cookie": text.format(found, found)}) == REFUSED


async def test_two_headers_with_cookies_hide_none(gateway: Gateway, ada: TestPerson) -> None:
    headers = [("cookie", "theme=dark"), ("cookie", cookie(ada)["cookie"])]
    assert (await gateway.http.post(WRITE, content=b"{}", headers=headers)).status_code == 403


@pytest.mark.parametrize("headers", [{}, FOREIGN, {"origin": "null"}], ids=str)
async def test_a_bearer_needs_nothing_also_beside_a_cookie(gateway: Gateway, ada: TestPerson, headers: Headers) -> None:
    bearer = {"authorization": f"Bearer {ada.token}"}
    assert await write(gateway, bearer | headers) == OK
    assert await write(gateway, bearer | cookie(ada) | headers) == OK


async def test_an_authorization_that_a_page_can_cause_does_not_lend_the_cookie(
    gateway: Gateway, ada: TestPerson
) -> None:
    """A form may have a name and a password in its address, which a browser makes `Basic` of."""
    for value in ("Basic QWRhOnB3", "Basic", ""):
        status, _ = await write(gateway, cookie(ada) | FOREIGN | {"authorization": value})
        assert status in (401, 403)


async def test_a_read_needs_nothing_and_no_other_page_can_read_the_answer(gateway: Gateway, ada: TestPerson) -> None:
    answer = await gateway.call("GET", "/v1/sessions", headers=cookie(ada) | FOREIGN)
    assert (answer.status_code, len(answer.json()["sessions"])) == (200, 1)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("name", ["theme", "xconnect.sid", "connectxsid", "__Secure-connect.sid"])
async def test_other_cookies_are_no_credential(gateway: Gateway, ada: TestPerson, name: str) -> None:
    assert await write(gateway, cookie(ada, name)) == (401, "SESSION_REQUIRED")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_form_that_sends_json_is_refused(gateway: Gateway, ada: TestPerson, kind: str) -> None:
    """Envoy reads a body as JSON whatever it is called, so the kind of a body protects nobody."""
    form = cookie(ada) | {"content-type": kind}
    assert await write(gateway, form | FOREIGN) == REFUSED
    assert await write(gateway, form | BY_SCRIPT) == OK


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_no_page_signs_anybody_in_to_an_account_of_its_choice(
    gateway: Gateway, people: People, origin: str
) -> None:
    eve = await people.person("eve", "tulip orbit canyon")
    body = json.dumps({"email": eve.email, "password": "tulip orbit canyon"})
    headers = {"origin": origin, "content-type": "text/plain"}
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        answer = await http.post("/v1/sessions", content=body, headers=headers)
    assert (answer.status_code, answer.headers.get("set-cookie")) == (403, None)
    assert answer.json()["details"][0]["reason"] == "CROSS_SITE_WRITE"


async def test_grpc_web_is_under_the_same_rule(gateway: Gateway, ada: TestPerson) -> None:
    headers = cookie(ada) | FOREIGN | {"content-type": "application/grpc-web+proto"}
    path = "/identity.v1.SessionService/RevokeOtherSessions"
    refused = await gateway.call("POST", path, content=bytes(5), headers=headers)
    assert refused.headers.get("grpc-status") == "7" or refused.status_code == 403
    passed = await gateway.call("POST", path, content=bytes(5), headers=headers | BY_SCRIPT)
    assert b"grpc-status:0" in passed.content
