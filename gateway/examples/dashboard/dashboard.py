"""A container dashboard's API that knows nothing of sessions or roles: the gateway lets through who may.

    python gateway/examples/dashboard/dashboard.py        (and the gateway with api.toml, which stands beside it)

It listens on a private address: whoever reached it past the gateway could write any x-user-id. And it takes one
request from a connection (HTTP/1.0): this small server leaves bodies unread that it does not expect, and would take
what is left of one for the next request, with whatever x-user-id stands there. Servers made for production do not.
"""

import json
import re
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CONTAINERS = re.compile(r"/projects/([^/?]+)/containers")
RESTART = re.compile(r"/projects/([^/?]+)/containers/([a-z0-9-]+):restart")

restarts: dict[tuple[str, str], int] = {}


def list_containers(project_id: str) -> dict[str, Any]:
    return {"containers": [shown(project_id, name) for name in ("web", "worker", "cache")]}


def restart(project_id: str, name: str) -> dict[str, Any]:
    restarts[project_id, name] = restarts.get((project_id, name), 0) + 1
    return shown(project_id, name)


def shown(project_id: str, name: str) -> dict[str, Any]:
    return {"name": name, "state": "running", "restarts": restarts.get((project_id, name), 0)}


class Dashboard(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self.answer(CONTAINERS, list_containers)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.answer(RESTART, restart)

    def answer(self, path: re.Pattern[str], act: Callable[..., dict[str, Any]]) -> None:
        caller = {"user_id": self.headers["x-user-id"], "role": self.headers["x-project-role"]}
        if caller["user_id"] is None:
            self.send(500, {"message": "Nobody is named: this did not come through the gateway."})
        elif found := path.fullmatch(self.path.partition("?")[0]):
            self.send(200, {"you": caller, **act(*found.groups())})
        else:
            self.send(404, {"message": "There is no such thing here."})

    def send(self, status: int, told: dict[str, Any]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    ThreadingHTTPServer(("127.0.0.1", port), Dashboard).serve_forever()
