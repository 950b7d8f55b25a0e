"""The session cookie over TLS in a real browser, and a page of somebody else that would use it."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from tenantry.testing.pair import Pair
from tenantry.testing.people import People, TestPerson
from tests.gateway.browsers import browser
from tests.gateway.gateways import Gateway, running_gateway
from tests.identity.smtp_server import make_certificate

PASSWORD = "tulip orbit canyon"
# As docs/cookies.md tells apps to call: the answer's status, for whoever waits for it.
CALL = """
const [method, path, body, done] = arguments;
fetch(path, {method, body, credentials: "include", headers: {"x-requested-with": "fetch"}}).then((r) => done(r.status));
"""
# It sends `name=value`, which is JSON.
FORM = """<form method="post" enctype="text/plain" action="{}"><input id="field" value='"}}'></form>
<script>document.getElementById("field").name = {}; document.forms[0].submit()</script>"""


async def test_chromium_keeps_it_from_scripts_and_other_pages(pair: Pair, people: People, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    ada = await people.person("ada", PASSWORD)
    async with running_gateway(pair, GATEWAY_CERTIFICATE=certificate, GATEWAY_PRIVATE_KEY=certificate) as gateway:
        # In a thread, as both services run in this process.
        await asyncio.to_thread(look, gateway, ada, str(tmp_path / "chromium"))


def look(gateway: Gateway, ada: TestPerson, folder: str) -> None:
    credentials = json.dumps({"email": ada.email, "password": PASSWORD})
    with browser(folder, "--ignore-certificate-errors") as driver:
        driver.get(f"{gateway.url}/healthz")
        assert status(driver, "POST", "/v1/sessions", credentials) == 200
        [cookie] = driver.get_cookies()
        told = {name: cookie[name] for name in ("name", "httpOnly", "secure", "sameSite", "path")}
        assert told == {"name": "__Host-connect.sid", "httpOnly": True, "secure": True, "sameSite": "Lax", "path": "/"}
        assert driver.execute_script("return document.cookie") == ""
        assert status(driver, "GET", "/v1/sessions") == 200
        assert status(driver, "POST", "/v1/sessions:revokeOthers", "{}") == 200

        for path, body in (("/v1/sessions:revoke", '{"x":"'), ("/v1/sessions", f'{credentials[:-1]}, "x":"')):
            driver.get("data:text/html," + quote(FORM.format(gateway.url + path, json.dumps(body))))
            assert "CROSS_SITE_WRITE" in text(driver)

        driver.get(f"{gateway.url}/healthz")
        assert status(driver, "GET", "/v1/sessions") == 200
        assert status(driver, "POST", "/v1/sessions:revoke", "{}") == 200
        assert driver.get_cookies() == []
        assert status(driver, "GET", "/v1/sessions") == 401


def status(driver: Chrome, method: str, path: str, body: str | None = None) -> Any:
    return driver.execute_async_script(CALL, method, path, body)


def text(driver: Chrome) -> str:
    """Of the page that the form has led to."""
    loaded = "return location.protocol == 'https:' && document.readyState == 'complete'"
    WebDriverWait(driver, 30).until(lambda _: driver.execute_script(loaded))
    return driver.page_source
