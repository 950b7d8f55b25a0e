"""`tenantry roles`: what people are on a project."""

import pytest

from tests.command_line.invoked import invoke, told
from tests.command_line.launched import Launched
from tests.command_line.people_and_places import lines, member, organization, person, project, refused, would_change


@pytest.fixture(scope="module")
def ada(up: Launched) -> str:
    return person(up)


@pytest.fixture(scope="module")
def api(up: Launched, ada: str) -> str:
    return project(up, organization(up, ada))


@pytest.fixture
def bo(up: Launched, api: str) -> str:
    return member(up, api.partition("/")[0])


def test_a_role_is_set_until_a_time_and_cleared(up: Launched, api: str, bo: str) -> None:
    made = told(up.folder, "roles", "set", api, bo, "admin", "--until", "2099-01-31T18:00:00Z")
    assert (made["email"], made["role"], made["source"], made["expire_time"]) == (
        bo, "ADMIN", "OVERRIDE", "2099-01-31T18:00:00Z"
    )  # fmt: skip
    assert invoke(up.folder, "roles", "set", api, bo, "NONE").stdout == f"{bo}   NONE on {api}   OVERRIDE\n"
    for _ in range(2):  # clearing what is not there is no error
        assert invoke(up.folder, "roles", "clear", api, bo).stdout == f"{bo}   VIEWER on {api}   INHERITED\n"


def test_the_list_says_what_everybody_is_and_why(up: Launched, ada: str) -> None:
    acme = organization(up, ada)
    api, bo, cy = project(up, acme), member(up, acme), member(up, acme, name="cy")
    told(up.folder, "roles", "set", api, cy, "NONE")
    rows = {row["email"]: row for row in lines(up, "roles", "list", api)}
    assert {email: (row["role"], row["source"], row["in_organization"]) for email, row in rows.items()} == {
        ada: ("ADMIN", "OWNER", "OWNER"),
        bo: ("VIEWER", "INHERITED", "MEMBER"),
        cy: ("NONE", "OVERRIDE", "MEMBER"),
    }
    assert rows[cy]["set"]


def test_an_owner_is_not_overridden(up: Launched, api: str, ada: str) -> None:
    said = refused(up, "roles", "set", api, ada, "VIEWER")
    assert "OWNER_NOT_OVERRIDABLE" in said[0]
    acme = api.partition("/")[0]
    assert said[1] == f"first:  tenantry members update {acme} {ada} --role ADMIN"


def test_somebody_who_is_no_member_is_added_first(up: Launched, api: str) -> None:
    zoe = person(up, "zoe")
    acme = api.partition("/")[0]
    for verb in (["set", api, zoe, "VIEWER"], ["clear", api, zoe]):
        said = refused(up, "roles", *verb)
        assert "MEMBER_NOT_FOUND" in said[0]
        assert said[1] == f"add them:  tenantry members add {acme} {zoe} --role MEMBER"


def test_a_dry_run_says_what_would_be_gained_or_lost_and_sets_nothing(up: Launched, api: str, bo: str) -> None:
    [raised] = would_change(up, "roles", "set", api, bo, "ADMIN")
    assert (raised["email"], raised["place"], raised["project_role_after"], raised["lost"]) == (bo, api, "ADMIN", [])
    assert "project:update" in raised["gained"]
    table = invoke(up.folder, "roles", "set", api, bo, "NONE", "--dry-run")
    assert table.stdout.splitlines()[1] == f"{bo}\t{api}\tVIEWER\tNONE\t-\tproject:read, project_members:read"
    told(up.folder, "roles", "set", api, bo, "ADMIN")
    [cleared] = would_change(up, "roles", "clear", api, bo)
    assert (cleared["project_role_before"], cleared["project_role_after"]) == ("ADMIN", "VIEWER")
    [now] = [row for row in lines(up, "roles", "list", api) if row["email"] == bo]
    assert now["role"] == "ADMIN"
