"""Runs the Express app of tests/express as a process of its own, and calls it as a browser does."""

import asyncio
import http.client
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from tests.npm import install

FOLDER = Path(__file__).parents[1] / "express"


@dataclass
class Reply:
    """`token` is that of the cookie which the app has set, if it has."""

    status: int
    body: Any
    token: str | None


class SlowCall:
    """A request that the app has begun to answer, and whose session it will write as it ends."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection, self._response = connection, response

    def end(self) -> Any:
        body = json.loads(self._response.read())
        self._connection.close()
        return body


class ExpressApp:
    def __init__(self, port: int) -> None:
        self._port = port

    def call(self, method: str, path: str, token: str | None = None, *, cookie: str | None = None) -> Reply:
        """With a token, or with a whole cookie as a browser has it."""
        connection, response = self._send(method, path, token, cookie)
        body = response.read()
        connection.close()
        is_json = (response.getheader("content-type") or "").startswith("application/json")
        return Reply(
            response.status, json.loads(body) if is_json else body.decode(), set_token(response.getheader("set-cookie"))
        )

    def begin(self, method: str, path: str, token: str) -> SlowCall:
        """Returns when the app has read the session."""
        return SlowCall(*self._send(method, path, token))

    def _send(
        self, method: str, path: str, token: str | None, cookie: str | None = None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        cookie = f"connect.sid={quote(token, safe='')}" if token else cookie
        connection.request(method, path, headers={"cookie": cookie} if cookie else {})
        return connection, connection.getresponse()


def set_token(header: str | None) -> str | None:
    if header is None:
        return None
    name, _, value = header.partition(";")[0].partition("=")
    assert name == "connect.sid"
    return unquote(value)


@asynccontextmanager
async def express_app(
    database_url: str, session_secrets: str, *, max_age: int | None = None, cookie_name: str = "connect.sid"
) -> AsyncIterator[ExpressApp]:
    """`max_age` is that of its cookies, in milliseconds."""
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "SESSION_SECRETS": session_secrets,
        "MAX_AGE": str(max_age or ""),
        "COOKIE_NAME": cookie_name,
    }
    # In a thread, as identity runs in this process and must not be held up.
    process, port = await asyncio.to_thread(start, environment)
    try:
        yield ExpressApp(port)
    finally:
        process.kill()
        process.communicate()


def start(environment: dict[str, str]) -> tuple["subprocess.Popen[str]", int]:
    install(FOLDER)
    process = subprocess.Popen(
        ["node", "app.js"],
        cwd=FOLDER,
        env=environment,
        stdin=subprocess.PIPE,  # it ends with this process, however that ends
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    assert port, f"the Express app ended with status {process.wait()}"
    return process, int(port)
