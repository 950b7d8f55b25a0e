"""What is measured: both services as processes, a floor beside them, people with sessions and projects."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from uuid_utils.compat import uuid7

from identity_service import tokens
from protos.tenancy.v1.access_pb2 import CheckAccessRequest
from tenantry.ports import free_port
from tenantry.testing.databases import Databases, databases
from tenantry.testing.pair import TENANCY_KEY, digest

PEOPLE = 1000
SECRET = secrets.token_urlsafe(48)
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class World:
    """Addresses, processes by name, and the requests to send: (body, token) pairs that are all allowed."""

    addresses: dict[str, str]
    processes: dict[str, int]
    requests: list[tuple[bytes, str]]

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time so far, by process; PostgreSQL's are added up."""
        return {name: sum(_cpu(pid) for pid in [pid, *_children(pid)]) for name, pid in self.processes.items()}


@contextmanager
def world() -> Iterator[World]:
    with ExitStack() as stack:
        found = stack.enter_context(databases())
        addresses = {name: f"127.0.0.1:{free_port()}" for name in ("floor", "identity", "batched", "naive")}
        identity = {
            "DATABASE_URL": found.service_url("identity", "identity"),
            "SESSION_SECRETS": SECRET,
            "SERVICE_KEYS": f"tenancy:{digest(TENANCY_KEY).hex()}",
        }
        tenancy = {
            "DATABASE_URL": found.service_url("tenancy", "tenancy"),
            "IDENTITY_ADDRESS": addresses["identity"],
            "IDENTITY_SERVICE_KEY": TENANCY_KEY,
            "IDENTITY_TIMEOUT_SECONDS": "2",
        }
        requests = _fill(found)
        started = {
            "floor": start(["benchmarks.noop_server", addresses["floor"]], {}),
            "identity": start(["identity_service"], identity | {"LISTEN_ADDRESS": addresses["identity"]}),
            "batched": start(["tenancy_service"], tenancy | {"LISTEN_ADDRESS": addresses["batched"]}),
            "naive": start(["tenancy_service"], tenancy | {"LISTEN_ADDRESS": addresses["naive"], "BATCHING": "off"}),
        }
        for process in started.values():
            stack.callback(process.wait)
            stack.callback(process.terminate)
        for address in addresses.values():
            wait_for(address)
        pids = {name: process.pid for name, process in started.items()}
        yield World(addresses, {**pids, "postgres": found.postgres.process.pid}, requests)


def _fill(found: Databases) -> list[tuple[bytes, str]]:
    """A thousand people with a session, a thousand projects of ten organizations, everybody a member of one."""
    organizations = [uuid7() for _ in range(10)]
    people = [(uuid7(), organizations[n % 10], uuid7(), tokens.make_sid()) for n in range(PEOPLE)]
    with psycopg.connect(found.owner_url("identity", "identity")) as identity:
        for user, _, _, sid in people:
            identity.execute(
                "INSERT INTO users (user_id, email, email_key, display_name) VALUES (%s, %s, %s, '')",
                (user, user.hex, user.hex),
            )
            identity.execute(
                "INSERT INTO session (sid, sess, expire) VALUES (%s, %s, now() + interval '1 hour')",
                (sid, f'{{"cookie": {{"originalMaxAge": 3600000}}, "userId": "{user}"}}'),
            )
        identity.execute("ANALYZE")
    with psycopg.connect(found.owner_url("tenancy", "tenancy")) as tenancy:
        for n, organization in enumerate(organizations):
            tenancy.execute(
                "INSERT INTO organizations (organization_id, slug, display_name) VALUES (%s, %s, '')",
                (organization, f"bench-{n}"),
            )
        for n, (user, organization, project, _) in enumerate(people):
            tenancy.execute(
                "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, 'MEMBER')",
                (organization, user),
            )
            tenancy.execute(
                "INSERT INTO projects (organization_id, project_id, slug, display_name) VALUES (%s, %s, %s, '')",
                (organization, project, f"project-{n}"),
            )
        tenancy.execute("ANALYZE")
    requests = []
    for _, organization, project, sid in people:
        body = CheckAccessRequest(organization_id=str(organization), project_id=str(project), permission="project:read")
        requests.append((body.SerializeToString(), tokens.sign(sid, SECRET.encode())))
    return requests


def start(module: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", *module]
    return subprocess.Popen(command, env={**os.environ, **environment, "LOG_LEVEL": "WARNING"})


def wait_for(address: str) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens on {address}")


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
