"""A real headless Chromium, driven through Selenium."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

PROGRAMS = ("chromium", "chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",  # which needs rights that root in a container has not
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # It looks up its maker's hosts otherwise.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--window-size=1200,2000",
)


@contextmanager
def browser(folder: str, *flags: str) -> Iterator[Chrome]:
    """A new one that knows nobody, with its data in the folder; skips where there is none, but not in CI."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        told = f"{' and '.join(missing)} not found; on Debian: apt-get install chromium chromium-driver"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(told)
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, *flags, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def hosts_asked(driver: Chrome) -> set[str]:
    """Of all requests over the network since this was asked last."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    return {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "chrome:"))}
