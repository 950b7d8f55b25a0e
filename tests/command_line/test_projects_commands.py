"""`tenantry projects`: such as acme/api."""

import pytest

from tests.command_line.invoked import invoke, told
from tests.command_line.launched import Launched
from tests.command_line.people_and_places import lines, member, organization, person, project, refused, would_change


@pytest.fixture(scope="module")
def acme(up: Launched) -> str:
    return organization(up, person(up))


def test_a_project_is_created_and_found_by_its_name_and_its_id(up: Launched, acme: str) -> None:
    made = told(up.folder, "projects", "create", f"{acme}/Web", "--name", "The web")
    assert (made["slug"], made["display_name"]) == ("web", "The web")
    for name in (f"{acme}/web", made["project_id"], f"{acme}/{made['project_id']}"):
        assert told(up.folder, "projects", "get", name) == made
    within = told(up.folder, "orgs", "get", acme)["organization_id"]
    assert told(up.folder, "projects", "get", f"{within}/web") == made
    facts = dict(
        line.split("\t") for line in invoke(up.folder, "projects", "get", made["project_id"]).stdout.splitlines()
    )
    assert facts["project"] == f"{acme}/web"


def test_a_project_of_another_organization_is_not_found_under_this_one(up: Launched, acme: str) -> None:
    other = organization(up, person(up))
    made = told(up.folder, "projects", "create", f"{other}/api")
    said = refused(up, "projects", "get", f"{acme}/{made['project_id']}")
    assert said[0].startswith("error: there is no project ")


def test_what_is_missing_is_told_with_the_command_that_lists(up: Launched, acme: str) -> None:
    assert refused(up, "projects", "get", f"{acme}/nothing") == [
        f"error: there is no project {acme}/nothing   PERMISSION_DENIED",
        f"which there are:  tenantry projects list {acme}",
    ]
    assert refused(up, "projects", "get", acme, status=2) == [
        f"error: {acme} is an organization, and a project is needed, such as {acme}/api",
        f"which there are:  tenantry projects list {acme}",
    ]
    assert refused(up, "projects", "create", "api", status=2)[1] == "such as:  tenantry projects create acme/api"
    assert refused(up, "projects", "create", "no-such/api")[0].startswith("error: there is no organization no-such")


def test_a_taken_slug_says_where_to_look(up: Launched, acme: str) -> None:
    api = project(up, acme, "taken")
    said = refused(up, "projects", "create", api)
    assert "SLUG_TAKEN" in said[0]
    assert said[1] == f"which there are:  tenantry projects list {acme} --deleted"


def test_deleting_needs_a_yes_and_can_be_undone(up: Launched) -> None:
    acme = organization(up, person(up))
    api, web = project(up, acme), project(up, acme, "web")
    assert (
        refused(up, "projects", "delete", api, status=2)[1] == f"without asking:  tenantry projects delete {api} --yes"
    )
    done = invoke(up.folder, "projects", "delete", api, "--yes")
    assert done.stdout.split("   ")[::2] == [api, "DELETED\n"]
    assert done.stderr.endswith(f"you can undo it:  tenantry projects undelete {api}\n")
    assert [row["project"] for row in lines(up, "projects", "list", acme)] == [web]
    both = lines(up, "projects", "list", acme, "--deleted")
    assert [(row["project"], row["state"]) for row in both] == [(api, "DELETED"), (web, "ACTIVE")]
    assert told(up.folder, "projects", "undelete", api)["slug"] == "api"
    assert [row["project"] for row in lines(up, "projects", "list", acme)] == [api, web]
    assert "nor a deleted one" in refused(up, "projects", "undelete", f"{acme}/nothing")[0]


def test_a_dry_run_says_who_would_lose_what_and_deletes_nothing(up: Launched) -> None:
    acme = organization(up, person(up))
    api, bo = project(up, acme), member(up, acme)
    [change] = [change for change in would_change(up, "projects", "delete", api) if change["email"] == bo]
    assert (change["place"], change["project_role_before"], change["project_role_after"]) == (api, "VIEWER", "NONE")
    assert change["lost"] == ["project:read", "project_members:read"]
    assert told(up.folder, "projects", "get", api)["slug"] == "api"
