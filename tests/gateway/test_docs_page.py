"""/docs in a real browser: it shows every operation, and calls the gateway it came from."""

import asyncio
import json
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions as seen
from selenium.webdriver.support.wait import WebDriverWait

from tenantry.gateway.openapi import DOCUMENT
from tenantry.testing.people import People, TestPerson
from tests.gateway.browsers import browser, hosts_asked
from tests.gateway.gateways import Gateway

OPERATIONS = sum(len(methods) for methods in json.loads(DOCUMENT.read_text())["paths"].values())
PASSWORD = "correct horse battery staple"
PATIENCE = 30


async def test_a_person_reads_the_page_and_calls_from_it(gateway: Gateway, people: People, tmp_path: Path) -> None:
    ada = await people.person("ada", PASSWORD)
    # In a thread, as both services run in this process.
    await asyncio.to_thread(look, gateway, ada, str(tmp_path))


def look(gateway: Gateway, ada: TestPerson, folder: str) -> None:
    with browser(folder) as driver:
        driver.get(f"{gateway.url}/docs")
        wait = WebDriverWait(driver, PATIENCE)
        wait.until(lambda _: len(driver.find_elements(By.CLASS_NAME, "opblock")) == OPERATIONS)
        # Before there is a credential, then with a token, then with the cookie of a sign-in alone.
        assert answer(driver, "ListPermissions")["details"][0]["reason"] == "SESSION_REQUIRED"
        sign_in(driver, ada.token)
        told = answer(driver, "ListPermissions")["permissions"]
        assert "project:read" in [each["permission"] for each in told]
        sign_out(driver)
        answer(driver, "CreateSession", {"email": ada.email, "password": PASSWORD})
        assert answer(driver, "RevokeOtherSessions") == {"revokedCount": 1}
        assert hosts_asked(driver) == {gateway.address}
        assert [entry for entry in driver.get_log("browser") if "Content Security Policy" in entry["message"]] == []


def sign_in(driver: Chrome, token: str) -> None:
    wait = WebDriverWait(driver, PATIENCE)
    driver.find_element(By.CSS_SELECTOR, ".btn.authorize").click()
    wait.until(seen.visibility_of_element_located((By.ID, "auth-bearer-value"))).send_keys(token)
    driver.find_element(By.CSS_SELECTOR, ".auth-container .btn.authorize").click()
    driver.find_element(By.CSS_SELECTOR, ".close-modal").click()


def sign_out(driver: Chrome) -> None:
    driver.find_element(By.CSS_SELECTOR, ".btn.authorize").click()
    [button, *_] = [
        each for each in driver.find_elements(By.CSS_SELECTOR, ".auth-container .btn") if each.text == "Logout"
    ]
    button.click()
    driver.find_element(By.CSS_SELECTOR, ".close-modal").click()


def answer(driver: Chrome, rpc: str, body: dict[str, str] | None = None) -> Any:
    """What the page shows of the answer after a press on "Execute"; without a body, its example is sent."""
    wait = WebDriverWait(driver, PATIENCE)
    block = driver.find_element(By.CSS_SELECTOR, f".opblock[id$='Service_{rpc}']")
    if "is-open" not in (block.get_attribute("class") or "").split():
        block.find_element(By.CLASS_NAME, "opblock-summary-control").click()
    for cleared in block.find_elements(By.CSS_SELECTOR, ".btn-clear"):
        cleared.click()
    button = wait.until(lambda _: block.find_elements(By.CSS_SELECTOR, ".btn.execute"))[0]
    if body:
        text = block.find_element(By.CSS_SELECTOR, "textarea.body-param__text")
        text.clear()
        text.send_keys(json.dumps(body))
    button.click()
    shown = wait.until(lambda _: block.find_elements(By.CSS_SELECTOR, ".live-responses-table .highlight-code code"))
    return json.loads(shown[0].text)
