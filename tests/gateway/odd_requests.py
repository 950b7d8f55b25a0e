"""Odd HTTP requests, made by chance: paths, credentials and headers that try to be read in two ways."""

import random
from typing import NamedTuple
from urllib.parse import quote

from tenantry.testing.people import TestPerson
from tests.gateway.protected import Team

SPOOFED = [
    "x-user-id: {}", "X-USER-ID: {}", "x_user_id: {}", "x-user-id : {}", " x-user-id: {}", "x-user-id:\t{}",
    "x-user-id;: {}", "x-user-id\0: {}", "x-project-role: ADMIN", "x-project_role: ADMIN", "x-organization-role: OWNER",
    "connection: x-user-id", "connection: close, x-project-role, x-a", "x-service-key: operator.x",
    "x-envoy-original-path: /projects/{}/containers", "x-envoy-original-method: GET", "x-envoy-internal: true",
    "x-original-url: /projects/{}/containers", "x-rewrite-url: /projects/{}/containers", "x-forwarded-host: admin",
    "x-http-method-override: POST", "x-forwarded-for: 127.0.0.1", "trailer: x-user-id", "te: trailers", "upgrade: h2c",
    "x-set-session-cookie: plain", "x-envoy-auth-partial-body: true", "content-type: application/grpc", "x-number: 0",
    "x-a: b\r\nx-user-id: {}", "x-a: b\nx-user-id: {}", "x-a: b\rx-user-id: {}", "expect: 100-continue",
]  # fmt: skip
METHODS = ["HEAD", "PUT", "OPTIONS", "TRACE", "get", "CONNECT", "GET\t", "G\0T", "PATCH", "PRI"]
SEPARATORS = ["/"] * 4 + [
    "//",
    "/./",
    "/x/../",
    "%2f",
    "\\",
    "/%2e/",
    "/;/",
    "/..;/",
    "/%2e%2e/",
    "%5c",
    "/../",
    "/.%00/",
]
PARTS = ["method", "path", "credential", "headers", "body"]
MOST_PARTS = 3


class Odd(NamedTuple):
    """`user_id` is whose it is, if it reaches the API at all."""

    raw: bytes
    user_id: str | None


def odd_request(chance: random.Random, team: Team, number: int) -> Odd:
    """Some parts of it are odd; the others are what they must be, so that it gets as far as it can."""
    odd = chance.sample(PARTS, chance.randint(1, MOST_PARTS))
    person, other = chance.sample([team.ada, team.cy, team.zoe, team.bo], 2)
    theirs = team.zoes if person is team.zoe else team.api
    restarts = person is not team.bo and chance.random() < 0.4
    user_id, credential = odd_credential(chance, person, other) if "credential" in odd else (
        person.user_id, [chance.choice([bearer(person), f"cookie: a=1; {cookie(person)}"]), "x-requested-with: test"],
    )  # fmt: skip
    method = chance.choice(METHODS) if "method" in odd else "POST" if restarts else "GET"
    pieces = ["projects", theirs, "containers/web:restart" if restarts else "containers"]
    path = odd_path(chance, pieces, team) if "path" in odd else "/" + "/".join(pieces)
    headers = chance.sample(SPOOFED, chance.randint(1, 3)) if "headers" in odd else []
    lines = [header.replace("{}", other.user_id) for header in headers] + credential + ["host: api.example.com"]
    chance.shuffle(lines)
    end = odd_body(chance, f"/projects/{team.api}/containers", other.user_id) if "body" in odd else ["", ""]
    first = [f"{method} {path} HTTP/1.1", f"x-number: {number}"]
    return Odd("\r\n".join([*first, *lines, "connection: close", *end]).encode("latin-1"), user_id)


def odd_path(chance: random.Random, pieces: list[str], team: Team) -> str:
    start, project, end = pieces
    other = team.zoes if project == team.api else team.api
    ids = [
        project.upper(), f"{other}/../{project}", f"{project}/../{other}", f"{project}%00", f"{project};{other}",
        f"{project}%2f..%2f{other}", f"%{ord(project[0]):x}{project[1:]}", f"{{{project}}}", f"{project}?{other}",
    ]  # fmt: skip
    ends = ["?", f"?project_id={other}", "#x", "/", "/..", "%20", f"?x=/projects/{other}"]
    spelled = [
        chance.choice([start] * 6 + ["Projects", "projects%20", "v1"]),
        chance.choice([project] * 5 + ids),
        end + chance.choice([""] * 5 + ends),
    ]
    return "".join(chance.choice(SEPARATORS) + piece for piece in spelled)


def odd_credential(chance: random.Random, person: TestPerson, other: TestPerson) -> tuple[str | None, list[str]]:
    """Whose it is, if it is somebody's."""
    mine, theirs = cookie(person), cookie(other)
    ways: list[tuple[str | None, list[str]]] = [
        (person.user_id, [f"cookie: {theirs}; __Host-{mine}"]),
        (person.user_id, [bearer(person), f"cookie: {theirs}"]),
        (person.user_id, [bearer(person).replace("Bearer", "bEARER"), f"cookie: __Host-{theirs}"]),
        (None, [bearer(person), bearer(other)]),
        (None, [f"{bearer(person)}, Bearer {other.token}"]),
        (None, [f"cookie: {mine}; {theirs}"]),
        (None, [f"cookie: {mine}", f"cookie: {theirs}"]),
        (None, [bearer(person)[:-2]]),
        (None, [f"authorization: Basic {person.token}", f"cookie: {mine}"]),
        (None, [f"authorization: Bearer {person.sid}"]),
        (None, []),
    ]
    user_id, headers = chance.choice(ways)
    return user_id, [*headers, "x-requested-with: test"]


def odd_body(chance: random.Random, path: str, other: str) -> list[str]:
    """The end of the headers, and sometimes a body in which a second request hides."""
    hidden = f"GET {path} HTTP/1.1\r\nhost: x\r\nx-number: hidden\r\nx-user-id: {other}\r\n\r\n"
    ways = [
        [f"content-length: {len(hidden)}", "", hidden],
        ["content-length: 0", "content-length: 5", "", hidden],
        ["content-length: 0", "transfer-encoding: chunked", "", f"0\r\n\r\n{hidden}"],
        ["transfer-encoding: chunked", "", f"{len(hidden):x}\r\n{hidden}\r\n0\r\nx-user-id: {other}\r\n\r\n"],
        ["transfer-encoding: xchunked", "", f"0\r\n\r\n{hidden}"],
        ["content-length: 0", "", hidden],
    ]
    return chance.choice(ways)


def bearer(person: TestPerson) -> str:
    return f"authorization: Bearer {person.token}"


def cookie(person: TestPerson) -> str:
    return f"connect.sid={quote(person.token, safe='')}"
