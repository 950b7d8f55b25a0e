"""The file of APIs behind the gateway: what it may say, and that every mistake in it is named."""

import re
from pathlib import Path

import pytest

from tenantry.failures import Failure
from tenantry.gateway.apis import Address, read_apis

DASHBOARD = """
[[api]]
name = "dashboard"
address = "127.0.0.1:9000"

[[api.route]]
method = "GET"
path = "/projects/{project_id}/containers"
permission = "containers:view"

[[api.route]]
method = "POST"
path = "/projects/{project_id}/containers/{name}:restart"
permission = "containers:restart"
organization = "header:x-organization-id"
remove_credential = false

[[api.route]]
path = "/me/**"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "apis.toml"


def test_routes_say_what_they_match_and_what_they_need(file: Path) -> None:
    file.write_text(DASHBOARD)
    [api] = read_apis(file)
    assert (api.name, api.cluster, api.address) == ("dashboard", "api-dashboard", Address("127.0.0.1", 9000))
    view, restart, mine = api.route
    assert re.fullmatch(view.pattern, "/projects/7/containers")
    for other in (
        "/projects/7/containers/",
        "/projects//containers",
        "/projects/7/8/containers",
        "/Projects/7/containers",
    ):
        assert not re.fullmatch(view.pattern, other)
    assert view.context_extensions == {
        "project": "path:2", "permission": "containers:view", "remove_credential": "true",
        "route": "GET /projects/{project_id}/containers",
    }  # fmt: skip
    assert re.fullmatch(restart.pattern, "/projects/7/containers/web:restart")
    assert restart.context_extensions == {
        "organization": "header:x-organization-id", "project": "path:2", "permission": "containers:restart",
        "route": "POST /projects/{project_id}/containers/{name}:restart",
    }  # fmt: skip
    assert [bool(re.fullmatch(mine.pattern, path)) for path in ("/me", "/me/", "/me/a/b", "/mean")] == [True] * 3 + [
        False
    ]
    assert mine.context_extensions == {"remove_credential": "true", "route": "any /me/**"}


@pytest.mark.parametrize(
    ("written", "replaced", "where", "what"),
    [
        ('name = "dashboard"', 'name = "Dash board"', "api.0.name", "pattern"),
        ('"127.0.0.1:9000"', '"127.0.0.1"', "api.0.address", "host:port"),
        ('"127.0.0.1:9000"', '"127.0.0.1:99999"', "api.0.address", "host:port"),
        ('method = "GET"', 'method = "get"', "api.0.route.0.method", "pattern"),
        ('"/projects/{project_id}/containers"', '"projects"', "api.0.route.0.path", "segments"),
        ('"/projects/{project_id}/containers"', '"/a/../b"', "api.0.route.0.path", "segments"),
        ('"/projects/{project_id}/containers"', '"/a%2fb"', "api.0.route.0.path", "segments"),
        ('"/projects/{project_id}/containers"', '"/v1/users"', "api.0.route.0.path", "of the gateway itself"),
        ('"/projects/{project_id}/containers"', '"/identity.v1.UserService/X"', "api.0.route.0.path", "itself"),
        ('"/projects/{project_id}/containers"', '"/containers"', "api.0.route.0", "a place"),
        ('"header:x-organization-id"', '"body:id"', "api.0.route.1.organization", "pattern"),
        ('path = "/me/**"', 'path = "/me"\nscopes = "all"', "api.0.route.2.scopes", "Extra"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(file: Path, written: str, replaced: str, where: str, what: str) -> None:
    file.write_text(DASHBOARD.replace(written, replaced, 1))
    with pytest.raises(Failure) as refused:
        read_apis(file)
    [line] = [line for line in str(refused.value).splitlines() if where in line]
    assert what in line


def test_what_is_no_toml_or_not_there_is_refused_too(file: Path) -> None:
    with pytest.raises(Failure, match="No such file"):
        read_apis(file)
    file.write_text("[[api")
    with pytest.raises(Failure, match=r"apis\.toml"):
        read_apis(file)
