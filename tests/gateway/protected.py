"""The dashboard of gateway/examples behind a gateway of its own, and a note of all that ever reaches it."""

import asyncio
import importlib.util
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tenancy_service.permissions_file import read_permissions
from tenantry.testing.pair import Pair, running_tenancy
from tenantry.testing.people import People, TestPerson
from tests.architecture.project import ROOT
from tests.gateway.gateways import Gateway, running_gateway
from tests.proxy import Proxy

EXAMPLE = ROOT / "gateway" / "examples" / "dashboard"
PERMISSIONS = ROOT / "docs" / "examples" / "permissions.toml"
# Of the same API: a place in other parts of a request, and a route that only needs a session.
MORE_ROUTES = """
[[api.route]]
method = "GET"
path = "/containers"
permission = "containers:view"
project = "query:project_id"

[[api.route]]
method = "POST"
path = "/containers.v1.Containers/List"
permission = "containers:view"
project = "header:x-project-id"

[[api.route]]
path = "/me"
remove_credential = false
"""
NAMED = ("x-user-id", "x-organization-role", "x-project-role")


class Reached(NamedTuple):
    """A request as the API had it."""

    method: str
    path: str
    headers: Message

    def all_of(self, name: str) -> list[str]:
        """Of the headers that CGI or WSGI would take for it, too."""
        return [value for key, value in self.headers.items() if key.lower().replace("_", "-") == name]


@dataclass
class Protected:
    """`reached` is what came through to the API; `to_identity` is the line from tenancy to identity."""

    gateway: Gateway
    reached: list[Reached]
    to_identity: Proxy

    async def status_of(self, request: bytes) -> int:
        """Of the answer to these bytes exactly; 0 if the line is closed without one."""
        host, _, port = self.gateway.address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(request)
            async with asyncio.timeout(10):
                told = await reader.readuntil(b"\r\n")
            return int(told.split(b" ")[1])
        except (ConnectionResetError, asyncio.IncompleteReadError):
            return 0
        finally:
            writer.close()

    async def status(self, path: str, token: str, *headers: str) -> int:
        """Of a GET."""
        lines = [f"GET {path} HTTP/1.1", "host: api.example.com", "connection: close", *headers]
        lines += [f"authorization: Bearer {token}"] if token else []
        return await self.status_of("\r\n".join([*lines, "", ""]).encode("latin-1"))


@asynccontextmanager
async def running_dashboard(pair: Pair) -> AsyncIterator[Protected]:
    """With a tenancy that knows the dashboard's permissions, on the data of the pair."""
    reached: list[Reached] = []
    permissions = {"permissions": read_permissions(PERMISSIONS)}
    with listening(reached) as api, TemporaryDirectory() as folder:
        file = Path(folder) / "api.toml"
        file.write_text((EXAMPLE / "api.toml").read_text().replace("127.0.0.1:9000", api) + MORE_ROUTES)
        async with Proxy(pair.identity.address) as proxy:
            settings = pair.tenancy_settings.model_copy(update={"identity_address": proxy.address, **permissions})
            async with (
                running_tenancy(settings) as tenancy,
                running_gateway(pair, TENANCY_ADDRESSES=tenancy.address, GATEWAY_APIS=str(file)) as gateway,
            ):
                yield Protected(gateway, reached, proxy)


@contextmanager
def listening(reached: list[Reached]) -> Iterator[str]:
    """The example as it is, but for its note of every request; its address."""
    spec = importlib.util.spec_from_file_location("dashboard", EXAMPLE / "dashboard.py")
    assert spec is not None
    assert spec.loader is not None
    example: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)

    class Noting(example.Dashboard):  # type: ignore[misc]
        def parse_request(self) -> bool:
            understood: bool = super().parse_request()
            if understood:
                reached.append(Reached(self.command, self.path, self.headers))
            return understood

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Noting)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Team:
    """Ada owns acme, bo is a MEMBER and so VIEWER of api, cy EDITOR; zoe owns another organization with its project."""

    ada: TestPerson
    bo: TestPerson
    cy: TestPerson
    zoe: TestPerson
    api: str
    zoes: str

    def role(self, user_id: str, project_id: str) -> str | None:
        roles = {
            (self.ada.user_id, self.api): "ADMIN",
            (self.bo.user_id, self.api): "VIEWER",
            (self.cy.user_id, self.api): "EDITOR",
            (self.zoe.user_id, self.zoes): "ADMIN",
        }
        return roles.get((user_id, project_id))


async def a_team(people: People) -> Team:
    ada, bo, cy, zoe = await people.persons(4)
    acme = await people.organization(ada, MEMBER=[bo, cy])
    theirs = await people.organization(zoe)
    api = await people.project(acme, ada, EDITOR=cy)
    return Team(ada, bo, cy, zoe, api, await people.project(theirs, zoe))
