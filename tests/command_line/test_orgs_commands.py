"""`tenantry orgs`: organizations by their slugs, made for owners by their addresses."""

import json
from uuid import uuid4

import psycopg
import pytest

from tenantry import output
from tests.command_line.invoked import invoke, told
from tests.command_line.launched import Launched
from tests.command_line.people_and_places import (
    lines,
    member,
    organization,
    person,
    project,
    refused,
    would_change,
)


@pytest.fixture(scope="module")
def ada(up: Launched) -> str:
    return person(up)


def test_an_organization_is_created_for_its_owner(up: Launched, ada: str) -> None:
    slug = f"acme-{uuid4().hex[:8]}"
    made = told(up.folder, "orgs", "create", slug.upper(), "--owner", ada.upper(), "--name", "Acme & Co")
    assert (made["slug"], made["display_name"], made["default_project_role"]) == (slug, "Acme & Co", "VIEWER")
    [owner] = lines(up, "members", "list", slug)
    assert (owner["email"], owner["role"]) == (ada, "OWNER")
    assert told(up.folder, "orgs", "get", slug) == told(up.folder, "orgs", "get", made["organization_id"]) == made


def test_an_owner_whom_nobody_knows_ends_with_the_command_that_creates_them(up: Launched) -> None:
    said = refused(up, "orgs", "create", "acme-nobody", "--owner", "nobody@example.com")
    assert said == [
        "error: no user has the email nobody@example.com   USER_NOT_FOUND",
        "create them:  tenantry users create nobody@example.com",
    ]
    assert refused(up, "orgs", "get", "acme-nobody")[0].startswith("error: there is no organization acme-nobody")


def test_a_slug_that_is_taken_says_where_to_look(up: Launched, ada: str) -> None:
    acme = organization(up, ada)
    said = refused(up, "orgs", "create", acme, "--owner", ada)
    assert "SLUG_TAKEN" in said[0]
    assert said[1] == "which there are:  tenantry orgs list --deleted"


def test_an_organization_that_is_not_there_ends_with_the_command_that_creates_it(up: Launched) -> None:
    assert refused(up, "orgs", "get", "no-such") == [
        "error: there is no organization no-such   PERMISSION_DENIED",
        "create it:        tenantry orgs create no-such --owner EMAIL",
        "which there are:  tenantry orgs list",
    ]
    by_id = str(uuid4())
    assert refused(up, "orgs", "get", by_id)[1:] == ["which there are:  tenantry orgs list"]


def test_a_project_is_no_organization(up: Launched) -> None:
    said = refused(up, "orgs", "get", "acme/api", status=2)
    assert said == [
        "error: acme/api is a project, and an organization is needed",
        "its organization:  acme",
    ]


def test_facts_are_tab_separated_in_a_pipe(up: Launched, ada: str) -> None:
    acme = organization(up, ada)
    facts = dict(line.split("\t") for line in invoke(up.folder, "orgs", "get", acme).stdout.splitlines())
    assert (facts["slug"], facts["members_get"], facts["state"]) == (acme, "VIEWER on every project", "ACTIVE")


def test_lists_are_all_or_those_of_a_person_with_their_role(up: Launched, monkeypatch: pytest.MonkeyPatch) -> None:
    cy = person(up, "cy")
    own = [organization(up, cy) for _ in range(3)]
    bo = member(up, own[1], "GUEST")
    monkeypatch.setattr(output, "PAGE", 2)
    assert [(row["slug"], row["role"]) for row in lines(up, "orgs", "list", "--user", cy)] == [
        (slug, "OWNER") for slug in own
    ]
    assert [(row["slug"], row["role"]) for row in lines(up, "orgs", "list", "--user", bo)] == [(own[1], "GUEST")]
    everything = [row["slug"] for row in lines(up, "orgs", "list")]
    assert [slug for slug in everything if slug in own] == own
    as_json = invoke(up.folder, "orgs", "list", "--json").stdout.splitlines()
    assert [json.loads(line)["slug"] for line in as_json] == everything


def test_a_limit_never_cuts_in_silence(up: Launched) -> None:
    cy = person(up, "cy")
    for _ in range(2):
        organization(up, cy)
    one = invoke(up.folder, "orgs", "list", "--user", cy, "--limit", "1")
    assert len(one.stdout.splitlines()) == 2
    assert one.stderr == f"These are the first 1; all of them:  tenantry orgs list --user {cy} --limit 0\n"


def test_deleting_needs_a_yes_and_force_where_there_are_projects_and_can_be_undone(up: Launched, ada: str) -> None:
    acme = organization(up, ada)
    project(up, acme)
    assert refused(up, "orgs", "delete", acme, status=2)[1] == f"without asking:  tenantry orgs delete {acme} --yes"
    said = refused(up, "orgs", "delete", acme, "--yes")
    assert "ORGANIZATION_NOT_EMPTY" in said[0]
    assert said[1] == f"with its projects:  tenantry orgs delete {acme} --force"
    done = invoke(up.folder, "orgs", "delete", acme, "--force", "--yes")
    assert done.stdout.endswith("DELETED\n")
    assert done.stderr.endswith(f"you can undo it:  tenantry orgs undelete {acme}\n")
    assert invoke(up.folder, "orgs", "get", acme).exit_code == 4
    assert acme not in [row["slug"] for row in lines(up, "orgs", "list")]
    [deleted] = [row for row in lines(up, "orgs", "list", "--deleted") if row["slug"] == acme]
    assert deleted["state"] == "DELETED"
    assert told(up.folder, "orgs", "undelete", acme)["slug"] == acme
    assert [row["project"] for row in lines(up, "projects", "list", acme)] == [f"{acme}/api"]
    assert "nor a deleted one" in refused(up, "orgs", "undelete", "no-such")[0]


def test_a_dry_run_says_who_would_lose_what_and_deletes_nothing(up: Launched, ada: str) -> None:
    acme = organization(up, ada)
    bo = member(up, acme)
    [change] = [change for change in would_change(up, "orgs", "delete", acme) if change["email"] == bo]
    assert (change["place"], change["organization_role_before"], change["organization_role_after"]) == (
        acme, "MEMBER", None
    )  # fmt: skip
    assert change["lost"] == ["members:read", "organization:read"]
    table = invoke(up.folder, "orgs", "delete", acme, "--dry-run")
    assert f"{bo}\t{acme}\tMEMBER\t-\t-\tmembers:read, organization:read" in table.stdout.splitlines()
    assert table.stderr == "Nothing was changed.\n"
    assert told(up.folder, "orgs", "get", acme)["slug"] == acme


def test_an_owner_is_restored_only_where_none_is_left(up: Launched, ada: str) -> None:
    acme, bo = organization(up, ada), person(up, "bo")
    said = refused(up, "orgs", "restore-owner", acme, bo, "--reason", "ticket 12")
    assert "OWNER_EXISTS" in said[0]
    assert said[1] == f"who it is:  tenantry members list {acme} --filter 'role = OWNER'"
    made_ownerless(up, acme)
    assert acme in [row["slug"] for row in lines(up, "orgs", "list", "--ownerless")]
    assert refused(up, "orgs", "restore-owner", acme, bo, status=2)  # without a reason
    assert not told(up.folder, "orgs", "restore-owner", acme, bo, "--reason", "ticket 12")["ownerless"]
    assert [(row["email"], row["role"]) for row in lines(up, "members", "list", acme)] == [(bo, "OWNER")]


def made_ownerless(up: Launched, slug: str) -> None:
    """As when the only owner was deleted and nobody could succeed them."""
    with psycopg.connect(up.state["tenancy"]["database_url"]) as connection:
        connection.execute(
            """DELETE FROM organization_members USING organizations o
               WHERE organization_members.organization_id = o.organization_id AND o.slug = %s""",
            (slug,),
        )
        connection.execute("UPDATE organizations SET ownerless_time = now() WHERE slug = %s", (slug,))


def test_the_audit_says_who_did_what_by_their_addresses(up: Launched, ada: str) -> None:
    acme = organization(up, ada)
    bo = member(up, acme)
    told(up.folder, "members", "update", acme, bo, "--role", "ADMIN")
    rows = lines(up, "orgs", "audit", acme)
    assert [(row["action"], row["by"], row["user"]) for row in rows] == [
        ("MEMBER_UPDATED", "operator", bo),
        ("MEMBER_ADDED", "operator", bo),
        ("MEMBER_ADDED", "operator", ada),
        ("ORGANIZATION_CREATED", "operator", ""),
    ]
    assert json.loads(rows[0]["details"]) == {"before": "MEMBER", "after": "ADMIN"}
    [added] = lines(up, "orgs", "audit", acme, "--filter", "action = ORGANIZATION_CREATED")
    assert added["action"] == "ORGANIZATION_CREATED"
    assert "position 1" in refused(up, "orgs", "audit", acme, "--filter", "what = 1")[0]
