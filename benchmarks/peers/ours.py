"""Tenantry's side: both services as processes on a PostgreSQL that holds the places, and a session for everybody."""

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import grpc
import psycopg

from benchmarks.crowd import SIZES
from benchmarks.peers.places import Organization, Question
from benchmarks.world import SECRET, WIDER, World, follow_from_now, start, stop, wait_for
from identity_service import tokens
from protos.tenancy.v1.access_pb2 import (
    BatchCheckAccessRequest,
    BatchCheckAccessResponse,
    CheckAccessRequest,
    CheckAccessResponse,
)
from tenantry.ports import free_port
from tenantry.testing.databases import Databases, databases
from tenantry.testing.pair import OPERATOR_KEY, TENANCY_KEY, digest

CHECK = "/tenancy.v1.AccessService/CheckAccess"
BATCH = "/tenancy.v1.AccessService/BatchCheckAccess"


@dataclass
class Pair:
    """What runs, and everybody's session token."""

    world: World
    tokens: dict[UUID, str]

    @property
    def address(self) -> str:
        return self.world.addresses["tenancy"]

    def check(self, question: Question) -> tuple[bytes, str]:
        """The request and whose session asks it."""
        return _request(question).SerializeToString(), self.tokens[question.user_id]

    def page(self, questions: list[Question]) -> tuple[bytes, str]:
        """The same for questions of one person."""
        request = BatchCheckAccessRequest(requests=[_request(question) for question in questions])
        return request.SerializeToString(), self.tokens[questions[0].user_id]

    def ask(self, method: str, requests: list[tuple[bytes, str]]) -> list[bytes]:
        """The answers as they came, in order."""
        with grpc.insecure_channel(self.address) as channel, ThreadPoolExecutor(8) as pool:
            call: Callable[..., bytes] = channel.unary_unary(method)
            return [*pool.map(lambda each: call(each[0], metadata=authorized(each[1]), timeout=20), requests)]


def authorized(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def _request(question: Question) -> CheckAccessRequest:
    return CheckAccessRequest(
        organization_id=str(question.organization.organization_id),
        project_id=str(question.project_id or ""),
        permission=question.permission,
    )


def allowed(answer: bytes) -> bool:
    return CheckAccessResponse.FromString(answer).allowed


def page_allowed(answer: bytes) -> list[bool]:
    return [each.answer.allowed for each in BatchCheckAccessResponse.FromString(answer).results]


@contextmanager
def pair(places: list[Organization], permissions_file: Path) -> Iterator[Pair]:
    """Settings as they come but for WIDER, which has no cost, and the permissions."""
    with ExitStack() as stack:
        found = stack.enter_context(databases())
        sessions = _fill(found, places)
        log = Path(stack.enter_context(TemporaryDirectory(prefix="tenantry-peers-"))) / "log"
        running: list[subprocess.Popen[bytes]] = []
        stack.callback(stop, running)
        world = World(SIZES["small"], {}, {"postgres": [found.postgres.process.pid]})

        def run(name: str, environment: dict[str, str]) -> str:
            address = f"127.0.0.1:{free_port()}"
            own = {"LISTEN_ADDRESS": address, "DATABASE_URL": found.service_url(name, name)}
            running.append(start([f"{name}_service"], {**WIDER, **own, **environment}, log=log))
            wait_for(address, running[-1])
            world.processes[name], world.addresses[name] = [running[-1].pid], address
            return address

        keys = f"tenancy:{digest(TENANCY_KEY).hex()},operator:{digest(OPERATOR_KEY).hex()}"
        identity = run("identity", {"SESSION_SECRETS": SECRET, "SERVICE_KEYS": keys})
        follow_from_now(identity, found.owner_url("tenancy", "tenancy"))
        run(
            "tenancy",
            {
                "IDENTITY_ADDRESS": identity,
                "IDENTITY_SERVICE_KEY": TENANCY_KEY,
                "PERMISSIONS_FILE": str(permissions_file),
            },
        )
        yield Pair(world, sessions)


def _fill(found: Databases, places: list[Organization]) -> dict[UUID, str]:
    sids = {user_id: tokens.make_sid() for place in places for user_id in place.members}
    with psycopg.connect(found.owner_url("identity", "identity")) as identity, identity.cursor() as cursor:
        for user_id, sid in sids.items():
            cursor.execute(
                "INSERT INTO users (user_id, email, email_key, display_name) VALUES (%s, %s, %s, '')",
                (user_id, user_id.hex, user_id.hex),
            )
            cursor.execute(
                "INSERT INTO session (sid, sess, expire) VALUES (%s, %s, now() + interval '1 hour')",
                (sid, f'{{"cookie": {{"originalMaxAge": 3600000}}, "userId": "{user_id}"}}'),
            )
        cursor.execute("ANALYZE")
    with psycopg.connect(found.owner_url("tenancy", "tenancy")) as tenancy, tenancy.cursor() as cursor:
        for place in places:
            _fill_place(cursor, place)
        cursor.execute("ANALYZE")
    return {user_id: tokens.sign(sid, SECRET.encode()) for user_id, sid in sids.items()}


def _fill_place(cursor: "psycopg.Cursor[tuple[object, ...]]", place: Organization) -> None:
    key = place.organization_id
    cursor.execute(
        "INSERT INTO organizations (organization_id, slug, display_name, default_project_role) VALUES (%s, %s, '', %s)",
        (key, f"peers-{key.hex[-12:]}", place.default_project_role.name),
    )
    cursor.executemany(
        "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, %s)",
        [(key, user_id, role.name) for user_id, role in place.members.items()],
    )
    cursor.executemany(
        "INSERT INTO projects (organization_id, project_id, slug, display_name) VALUES (%s, %s, %s, '')",
        [(key, project_id, f"project-{n}") for n, project_id in enumerate(place.projects)],
    )
    cursor.executemany(
        "INSERT INTO project_members (organization_id, project_id, user_id, inherited_from_org, role)"
        " VALUES (%s, %s, %s, false, %s)",
        [(key, project_id, user_id, role.name) for (user_id, project_id), role in place.overrides.items()],
    )
