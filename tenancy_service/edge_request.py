"""What Envoy asks about a request to an API: which credential it bears, which place it is about. No I/O.

A place is read only where the API cannot read another one: what is unclear is refused, never guessed.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote_plus

from shared.authentication import session_token
from shared.errors import ServiceError
from shared.fields import UUID_TEXT
from shared.reasons import Reason
from tenancy_service.check import Question
from tenancy_service.permissions import LeastRole, ProjectRole

SOURCE = re.compile(r"path:(?P<path>[1-9][0-9]?)|header:(?P<header>[a-z0-9-]+)|query:(?P<query>[A-Za-z0-9_.-]+)")
# `route` is only a name for it in our log.
EXTENSIONS = frozenset({"route", "permission", "organization", "project", "remove_credential"})
# What one server takes for another path than the next one: dots, slashes, semicolons and control characters in
# disguise, disguised twice or too long in UTF-8; no path between two slashes, `.` and `..` also with a parameter.
AMBIGUOUS = re.compile(
    r"%(25)*(0|2e|2f|3b|5c|c[01]|u)|[\\#]|[^\x21-\x7e]|/[;/]|/\.\.?(;|/|$)", re.IGNORECASE | re.DOTALL
)


class RouteError(Exception):
    """What Envoy's configuration says about the route makes no sense: a mistake of the operator's."""


class Source(NamedTuple):
    """Where an id stands: `kind` is path, header or query, `name` the number of the segment or the name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return {"path": "segment {} of the path", "header": "the header {}", "query": "the query parameter {}"}[
            self.kind
        ].format(self.name)


class Route(NamedTuple):
    """What a request needs. `least` None: a valid session is enough."""

    least: LeastRole | None
    organization: Source | None
    project: Source | None
    removes_credential: bool


class Request(NamedTuple):
    """Of the HTTP request what decides. Header names are in lower case; the path has its query."""

    path: str
    headers: Mapping[str, str]


def read_route(extensions: Mapping[str, str], permissions: Mapping[str, LeastRole]) -> Route:
    """RouteError, if it is not one of ours in every part: a misspelled `permission` must not mean none."""
    if unknown := sorted(extensions.keys() - EXTENSIONS):
        raise RouteError(f"unknown: {', '.join(unknown)}; there are {', '.join(sorted(EXTENSIONS))}")
    organization, project = (_source(name, extensions.get(name)) for name in ("organization", "project"))
    removes = extensions.get("remove_credential", "false")
    if removes not in ("true", "false"):
        raise RouteError("remove_credential is true or false")
    permission = extensions.get("permission")
    if permission is None:
        return Route(None, organization, project, removes == "true")
    least = permissions.get(permission)
    if least is None:
        raise RouteError(f"permission {permission} is not defined, neither built in nor in PERMISSIONS_FILE")
    if project is None and isinstance(least, ProjectRole):
        raise RouteError(f"permission {permission} is held on projects, and project is not set")
    if project is None and organization is None:
        raise RouteError(f"permission {permission} needs organization or project to be set")
    return Route(least, organization, project, removes == "true")


def read_question(route: Route, request: Request, cookie_name: str) -> Question:
    """SESSION_REQUIRED or SESSION_INVALID without one clear credential, PLACE_UNCLEAR without clear ids."""
    metadata = [(name, request.headers[name]) for name in ("authorization", "cookie") if name in request.headers]
    token = session_token(metadata, cookie_name)
    if token is None:
        raise ServiceError(Reason.SESSION_REQUIRED)
    organization_id, project_id = (
        _id_at(source, request) if source else None for source in (route.organization, route.project)
    )
    return Question(token, organization_id, project_id)


def alike(headers: Mapping[str, str], *names: str) -> list[str]:
    """Those that an API may read as one of the names: to CGI and WSGI x_user_id is x-user-id."""
    return [key for key in headers if key.replace("_", "-") in names]


def _source(name: str, value: str | None) -> Source | None:
    if value is None:
        return None
    found = SOURCE.fullmatch(value)
    if found is None or found.lastgroup is None:
        raise RouteError(f"{name} is path:3, header:x-{name}-id or query:{name}_id")
    return Source(found.lastgroup, found[found.lastgroup])


def _id_at(source: Source, request: Request) -> str:
    """In lower case."""
    value = READERS[source.kind](request, source.name)
    if value is None or not UUID_TEXT.fullmatch(value):
        raise ServiceError(Reason.PLACE_UNCLEAR, where=str(source))
    return value.lower()


def _in_path(request: Request, number: str) -> str | None:
    path = request.path.partition("?")[0]
    if AMBIGUOUS.search(path):
        return None
    start, *segments = path.split("/")
    return segments[int(number) - 1] if start == "" and int(number) <= len(segments) else None


def _in_header(request: Request, name: str) -> str | None:
    """Several headers of one name come joined by a comma, which no id has in it."""
    return request.headers.get(name) if alike(request.headers, name) == [name] else None


def _in_query(request: Request, name: str) -> str | None:
    """As written, not decoded. There may be nothing else that a framework would take for it."""
    pairs = [pair.partition("=") for pair in re.split("[&;]", request.path.partition("?")[2])]
    found = [(key, value) for key, _, value in pairs if _loosely(key) == _loosely(name)]
    return found[0][1] if len(found) == 1 and found[0][0] == name else None


def _loosely(parameter: str) -> str:
    """`Project%5fId`, `project.id` and `project_id[]` are project_id to one framework or another."""
    decoded = unquote_plus(parameter, errors="replace").partition("[")[0]
    return re.sub("[^a-z0-9]", "_", decoded.strip().lower())


READERS: Mapping[str, Callable[[Request, str], str | None]] = {
    "path": _in_path,
    "header": _in_header,
    "query": _in_query,
}
