"""The session cookie through a real Envoy, as a browser keeps it, and addresses behind the gateway."""

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, running_pair
from tenantry.testing.people import People, TestPerson
from tests.gateway.gateways import Gateway, running_gateway
from tests.identity.smtp_server import make_certificate

PASSWORD = "tulip orbit canyon"
BY_SCRIPT = {"x-requested-with": "fetch"}
HOST_CLEARED = "__Host-connect.sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure"
PLAIN_CLEARED = "connect.sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"


def browser(gateway: Gateway, **options: Any) -> httpx.AsyncClient:
    """It keeps cookies and sends them, those that are `Secure` over TLS alone."""
    return httpx.AsyncClient(base_url=gateway.url, timeout=10, **options)


async def sign_in(
    http: httpx.AsyncClient, person: TestPerson, password: str = PASSWORD, **options: Any
) -> httpx.Response:
    """Patiently: on a busy machine a new service's first connection to its database may take longer than it waits."""
    while True:
        answer = await http.post("/v1/sessions", json={"email": person.email, "password": password}, **options)
        if answer.status_code != 503:
            return answer


def cookies_set(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("set-cookie")


async def test_a_browser_signs_in_reads_writes_and_signs_out(gateway: Gateway, people: People) -> None:
    ada = await people.person("ada", PASSWORD)
    async with browser(gateway) as http:
        answer = await sign_in(http, ada)
        session_id = answer.json()["session"]["sessionId"]
        cleared, cookie = cookies_set(answer)
        assert cleared == HOST_CLEARED
        assert cookie.startswith("connect.sid=s%3A")
        assert cookie.endswith("; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax")
        listed = (await http.get("/v1/sessions")).json()["sessions"]
        assert [each["sessionId"] for each in listed] == [session_id, ada.session_id]
        others = await http.post("/v1/sessions:revokeOthers", json={}, headers=BY_SCRIPT)
        assert (others.status_code, others.json(), cookies_set(others)) == (200, {"revokedCount": 1}, [])
        renewed = await http.post("/v1/sessions:refresh", json={"password": PASSWORD}, headers=BY_SCRIPT)
        assert len(cookies_set(renewed)) == 2
        [left] = (await http.get("/v1/sessions")).json()["sessions"]
        assert left["sessionId"] == renewed.json()["session"]["sessionId"]
        out = await http.post("/v1/sessions:revoke", json={}, headers=BY_SCRIPT)
        assert (out.status_code, cookies_set(out)) == (200, [HOST_CLEARED, PLAIN_CLEARED])
        assert not http.cookies
        assert (await http.get("/v1/sessions")).status_code == 401


async def test_over_tls_it_is_secure_and_of_this_host_alone(pair: Pair, people: People, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    ada = await people.person("ada", PASSWORD)
    trusting = ssl.create_default_context(cafile=certificate)
    async with (
        running_gateway(pair, GATEWAY_CERTIFICATE=certificate, GATEWAY_PRIVATE_KEY=certificate) as gateway,
        browser(gateway, verify=trusting) as http,
    ):
        cookie, cleared = cookies_set(await sign_in(http, ada))
        assert cookie.startswith("__Host-connect.sid=s%3A")
        assert cookie.endswith("; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax; Secure")
        assert cleared == PLAIN_CLEARED
        http.cookies.set("connect.sid", "planted by another subdomain", domain="127.0.0.1")
        assert (await http.get("/v1/sessions")).status_code == 200
        assert (await http.post("/v1/sessions:revoke", json={})).status_code == 403
        out = await http.post("/v1/sessions:revoke", json={}, headers=BY_SCRIPT)
        assert (out.status_code, cookies_set(out)) == (200, [HOST_CLEARED, PLAIN_CLEARED])
        assert not http.cookies


async def test_who_fails_to_sign_in_gets_none(gateway: Gateway, people: People) -> None:
    async with browser(gateway) as http:
        answer = await sign_in(http, await people.person("ada", PASSWORD), "another password")
        assert (answer.status_code, cookies_set(answer)) == (401, [])


@pytest.mark.parametrize("asked", ["secure", "plain", "no"])
async def test_nobody_chooses_from_outside_which_cookie_is_set(gateway: Gateway, people: People, asked: str) -> None:
    ada = await people.person("ada", PASSWORD)
    async with browser(gateway) as http:
        await sign_in(http, ada, headers={"x-set-session-cookie": asked})
        assert list(http.cookies) == ["connect.sid"]


async def test_native_grpc_may_send_the_cookie_with_the_header_of_scripts(gateway: Gateway, people: People) -> None:
    ada = await people.person()
    metadata = (("cookie", f"connect.sid={ada.token}"), *BY_SCRIPT.items())
    answer = await SessionServiceStub(gateway.channel).GetSession(pb.GetSessionRequest(), metadata=metadata)
    assert answer.session.session_id == ada.session_id


async def test_nobody_chooses_the_address_they_come_from(databases: Databases) -> None:
    """Somebody of another address than the gateway's; Envoy's is the only proxy that identity trusts."""
    elsewhere = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
    spoofed = [("x-forwarded-for", "203.0.113.66"), ("x-forwarded-for", "203.0.113.67, 127.0.0.1"),
               ("x-real-ip", "203.0.113.68"), ("forwarded", "for=203.0.113.69"),
               ("x-envoy-external-address", "203.0.113.70"), ("x-forwarded-user-agent", "Lynx")]  # fmt: skip
    trusting: dict[str, object] = {"TRUSTED_PROXIES": "127.0.0.1"}
    async with (
        running_pair(databases, identity=trusting, tenancy=trusting) as pair,
        running_gateway(pair) as gateway,
        browser(gateway, transport=elsewhere, headers={"user-agent": "Firefox"} | BY_SCRIPT) as http,
    ):
        ada = await People(pair).person("ada", PASSWORD)
        for headers in ([], spoofed):
            answer = await sign_in(http, ada, headers=headers)
            session = answer.json()["session"]
            assert (session["ip"], session["userAgent"]) == ("127.0.0.2", "Firefox")
