"""The role table and the permission table, without a server."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pytest

from tenancy_service.permissions import (
    BUILT_IN,
    Access,
    Permission,
    access,
    effective_project_role,
    is_allowed,
    nearest,
    why,
)
from tenancy_service.permissions import OrgRole as R
from tenancy_service.permissions import ProjectRole as P
from tenancy_service.permissions import RoleSource as S
from tenancy_service.permissions_file import read_permissions

ANY = [None, *P]


def all_of(*choices: Iterable[object]) -> list[tuple[object, ...]]:
    return list(product(*choices))


@pytest.mark.parametrize(("override", "default"), all_of(ANY, P))
def test_somebody_who_is_no_member_has_nothing(override: P | None, default: P) -> None:
    assert effective_project_role(None, override, default) == (P.NONE, S.NOT_A_MEMBER)


@pytest.mark.parametrize(("override", "default"), all_of(ANY, P))
def test_an_owner_is_admin_whatever_is_overridden(override: P | None, default: P) -> None:
    assert effective_project_role(R.OWNER, override, default) == (P.ADMIN, S.OWNER)


@pytest.mark.parametrize(("role", "override", "default"), all_of([R.ADMIN, R.MEMBER, R.GUEST], P, P))
def test_an_override_counts_in_both_directions(role: R, override: P, default: P) -> None:
    assert effective_project_role(role, override, default) == (override, S.OVERRIDE)


@pytest.mark.parametrize("default", P)
def test_without_an_override_the_organization_role_gives_the_project_role(default: P) -> None:
    assert effective_project_role(R.ADMIN, None, default) == (P.ADMIN, S.INHERITED)
    assert effective_project_role(R.MEMBER, None, default) == (default, S.INHERITED)
    assert effective_project_role(R.GUEST, None, default) == (P.NONE, S.INHERITED)


def test_the_organization_alone_has_a_source_but_no_project_role() -> None:
    assert access(None, None, P.VIEWER, on_project=False) == Access(None, None, S.NOT_A_MEMBER)
    assert access(R.OWNER, None, P.VIEWER, on_project=False) == Access(R.OWNER, None, S.OWNER)
    assert access(R.GUEST, None, P.VIEWER, on_project=False) == Access(R.GUEST, None, S.MEMBER)


@pytest.mark.parametrize(("role", "least"), all_of(R, R))
def test_an_organization_permission_needs_the_organization_role(role: R, least: R) -> None:
    assert is_allowed(least, Access(role, P.NONE, S.OVERRIDE)) is (role >= least)


@pytest.mark.parametrize(("role", "least"), all_of(P, [P.VIEWER, P.EDITOR, P.ADMIN]))
def test_the_effective_project_role_governs_the_project_also_for_an_admin(role: P, least: P) -> None:
    assert is_allowed(least, Access(R.ADMIN, role, S.OVERRIDE)) is (role >= least)


@pytest.mark.parametrize("least", [*R, *P])
def test_nothing_is_allowed_where_nobody_is_a_member(least: R | P) -> None:
    nobody = access(None, None, P.NONE, on_project=False)
    assert not is_allowed(least, nobody)


def test_every_permission_has_a_least_role_that_means_something() -> None:
    assert BUILT_IN.keys() == set(Permission)
    assert all(least is not P.NONE for least in BUILT_IN.values())


def test_the_reason_says_what_decided_and_what_was_needed() -> None:
    def told(permission: str, *roles: R | P | None, on_project: bool = True) -> str:
        organization_role, override, default = roles
        found = access(organization_role, override, default, on_project=on_project)  # type: ignore[arg-type]
        return why(permission, BUILT_IN[permission], found)

    assert told("project:update", R.OWNER, None, P.VIEWER) == "owners may do everything"
    assert told("project:read", R.MEMBER, None, P.VIEWER) == "VIEWER, inherited as MEMBER of the organization"
    assert told("project:update", R.MEMBER, P.EDITOR, P.NONE) == (
        "EDITOR, set on this project; project:update needs ADMIN"
    )
    assert told("members:update", R.MEMBER, None, P.NONE, on_project=False) == (
        "MEMBER of the organization; members:update needs ADMIN"
    )
    assert told("project:read", None, None, P.NONE).startswith("not a member")


def test_the_nearest_permission_is_named() -> None:
    assert nearest("container:restart", {**BUILT_IN, "containers:restart": P.EDITOR}) == "containers:restart"
    assert nearest("", BUILT_IN) in BUILT_IN


def test_a_deployment_adds_its_own_permissions(tmp_path: Path) -> None:
    file = tmp_path / "permissions.toml"
    file.write_text('[project]\n"containers:restart" = "EDITOR"\n[organization]\n"billing:read" = "ADMIN"\n')
    found = read_permissions(file)
    assert found["containers:restart"] is P.EDITOR
    assert found["billing:read"] is R.ADMIN
    assert found.items() >= BUILT_IN.items()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('[project]\n"restart" = "EDITOR"', "thing:verb"),
        ('[project]\n"project:read" = "EDITOR"', "built in"),
        ('[project]\n"a:b" = "OWNER"', "ADMIN"),
        ('[project]\n"a:b" = "NONE"', "VIEWER"),
        ('[organization]\n"a:b" = "EDITOR"', "GUEST"),
        ('[organization]\n"a:b" = "MEMBER"\n[project]\n"a:b" = "VIEWER"', "twice"),
        ('[teams]\n"a:b" = "MEMBER"', "[teams]"),
        ('[project]\n"a:b" = 3', "needs one of"),
        ("not toml", "cannot be read"),
        ('"a:b" = "VIEWER"', "[a:b]"),
    ],
)
def test_a_wrong_permissions_file_stops_the_start_and_says_why(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "permissions.toml"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"permissions\.toml|\"|\[") as caught:
        read_permissions(file)
    assert complaint in str(caught.value)
