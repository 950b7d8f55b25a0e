"""`tenantry members`: who belongs to an organization."""

import json

import pytest

from tests.command_line.invoked import invoke, told
from tests.command_line.launched import Launched
from tests.command_line.people_and_places import lines, member, organization, person, project, refused, would_change


@pytest.fixture(scope="module")
def ada(up: Launched) -> str:
    return person(up)


@pytest.fixture(scope="module")
def acme(up: Launched, ada: str) -> str:
    return organization(up, ada)


def test_a_member_is_added_by_address_until_a_time(up: Launched, acme: str) -> None:
    bo = person(up, "bo")
    made = told(up.folder, "members", "add", acme, bo, "--role", "guest", "--until", "2099-01-31T18:00:00+01:00")
    assert (made["email"], made["role"], made["expire_time"]) == (bo, "GUEST", "2099-01-31T17:00:00Z")
    cy = person(up, "cy")
    done = invoke(up.folder, "members", "add", acme, cy, "--role", "ADMIN")
    assert done.stdout == f"{cy}   ADMIN of {acme}\n"


@pytest.mark.parametrize("time", ["tomorrow", "2099-01-31", "2099-01-31T18:00:00"])
def test_a_time_has_a_zone(up: Launched, acme: str, time: str) -> None:
    said = refused(up, "members", "add", acme, "bo@example.com", "--role", "GUEST", "--until", time, status=2)
    assert "such as 2027-01-31T18:00:00Z" in said[-1]


def test_somebody_without_an_account_is_created_or_invited(up: Launched, acme: str) -> None:
    assert refused(up, "members", "add", acme, "nobody@example.com", "--role", "MEMBER") == [
        "error: no user has the email nobody@example.com   USER_NOT_FOUND",
        "create them:  tenantry users create nobody@example.com",
        f"or invite:    tenantry invitations create {acme} nobody@example.com --role MEMBER",
    ]


def test_a_role_that_is_none_is_told_with_those_there_are(up: Launched, acme: str, ada: str) -> None:
    said = refused(up, "members", "add", acme, ada, "--role", "BOSS", status=2)
    assert "'GUEST', 'MEMBER', 'ADMIN', 'OWNER'" in said[-1]


def test_a_member_already_ends_with_the_command_that_changes_the_role(up: Launched, acme: str) -> None:
    bo = member(up, acme)
    said = refused(up, "members", "add", acme, bo, "--role", "ADMIN")
    assert "ALREADY_A_MEMBER" in said[0]
    assert said[1] == f"change the role:  tenantry members update {acme} {bo} --role ADMIN"
    assert invoke(up.folder, *said[1].split()[4:]).exit_code == 0


def test_lists_have_names_and_addresses_and_take_filters(up: Launched) -> None:
    ada = person(up)
    acme = organization(up, ada)
    bo = member(up, acme)
    assert [(row["email"], row["role"]) for row in lines(up, "members", "list", acme)] == [
        (ada, "OWNER"),
        (bo, "MEMBER"),
    ]
    [only] = invoke(up.folder, "members", "list", acme, "--filter", "role = MEMBER", "--json").stdout.splitlines()
    assert json.loads(only)["email"] == bo
    [prefixed] = lines(up, "members", "list", acme, "--filter", 'email = "ada*"')
    assert prefixed["email"] == ada


def test_role_and_end_are_changed_apart(up: Launched, acme: str) -> None:
    bo = member(up, acme)
    changed = told(up.folder, "members", "update", acme, bo, "--until", "2099-01-31T18:00:00Z")
    assert (changed["role"], changed["expire_time"]) == ("MEMBER", "2099-01-31T18:00:00Z")
    changed = told(up.folder, "members", "update", acme, bo, "--role", "GUEST")
    assert (changed["role"], changed["expire_time"]) == ("GUEST", "2099-01-31T18:00:00Z")
    changed = told(up.folder, "members", "update", acme, bo, "--until", "never")
    assert (changed["role"], "expire_time" in changed) == ("GUEST", False)
    assert "nothing to change" in refused(up, "members", "update", acme, bo, status=2)[0]


def test_the_last_owner_stays_and_the_command_that_helps_is_told(up: Launched, acme: str, ada: str) -> None:
    for verb in (["update", acme, ada, "--role", "ADMIN"], ["remove", acme, ada]):
        said = refused(up, "members", *verb)
        assert "LAST_OWNER" in said[0]
        assert said[1] == f"make somebody else one first:  tenantry members update {acme} EMAIL --role OWNER"


def test_a_removed_member_is_gone_and_can_be_added_again(up: Launched, acme: str) -> None:
    bo = member(up, acme)
    assert invoke(up.folder, "members", "remove", acme, bo).stdout == f"{bo}   removed from {acme}\n"
    said = refused(up, "members", "remove", acme, bo)
    assert "MEMBER_NOT_FOUND" in said[0]
    assert said[1] == f"add them:  tenantry members add {acme} {bo} --role MEMBER"
    assert invoke(up.folder, *said[1].split()[3:]).exit_code == 0


def test_a_dry_run_says_what_a_member_would_gain_or_lose_and_changes_nothing(up: Launched) -> None:
    acme = organization(up, person(up))
    api, bo = project(up, acme), member(up, acme)
    raised = would_change(up, "members", "update", acme, bo, "--role", "ADMIN")
    assert [(change["email"], change["place"]) for change in raised] == [(bo, acme), (bo, api)]
    assert "members:update" in raised[0]["gained"]
    assert (raised[1]["project_role_before"], raised[1]["project_role_after"]) == ("VIEWER", "ADMIN")
    removed = would_change(up, "members", "remove", acme, bo)
    assert removed[0]["lost"] == ["members:read", "organization:read"]
    assert [row["role"] for row in lines(up, "members", "list", acme)] == ["OWNER", "MEMBER"]
