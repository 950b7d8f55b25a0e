"""`tenantry check` and `tenantry explain`: may they, why, and the command that would allow it."""

import json
import re
import shlex
from uuid import uuid4

import psycopg
import pytest

from tests.command_line.invoked import invoke, told
from tests.command_line.launched import Launched
from tests.command_line.people_and_places import lines, member, organization, person, project, refused


@pytest.fixture(scope="module")
def ada(up: Launched) -> str:
    return person(up)


@pytest.fixture(scope="module")
def acme(up: Launched, ada: str) -> str:
    return organization(up, ada)


@pytest.fixture(scope="module")
def api(up: Launched, acme: str) -> str:
    return project(up, acme)


def said(up: Launched, verb: str, *arguments: str, status: int) -> list[str]:
    done = invoke(up.folder, verb, *arguments)
    assert done.exit_code == status, done.output
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_first_hour(up: Launched) -> None:
    """As it stands in the README: from nothing to a check that says yes."""
    tag = uuid4().hex[:8]
    ada, bo, acme = f"ada-{tag}@example.com", f"bo-{tag}@example.com", f"acme-{tag}"
    made = invoke(up.folder, "users", "create", ada, "--name", "Ada")
    assert re.fullmatch(rf"{ada}   [\w-]{{36}}   password: \S+\n", made.stdout)
    assert invoke(up.folder, "orgs", "create", acme, "--owner", ada).exit_code == 0
    assert invoke(up.folder, "projects", "create", f"{acme}/api").exit_code == 0
    assert refused(up, "members", "add", acme, bo, "--role", "MEMBER") == [
        f"error: no user has the email {bo}   USER_NOT_FOUND",
        f"create them:  tenantry users create {bo}",
        f"or invite:    tenantry invitations create {acme} {bo} --role MEMBER",
    ]
    assert invoke(up.folder, "users", "create", bo, "-q").output == ""
    assert invoke(up.folder, "members", "add", acme, bo, "--role", "MEMBER").exit_code == 0
    assert said(up, "check", bo, "project:update", f"{acme}/api", status=1) == [
        f"no    {bo}: project:update on {acme}/api",
        f"      VIEWER, INHERITED: MEMBER of {acme}; {acme} gives members VIEWER",
        "      project:update needs ADMIN",
        f"      to allow it:  tenantry roles set {acme}/api {bo} ADMIN",
    ]
    assert invoke(up.folder, "roles", "set", f"{acme}/api", bo, "ADMIN").exit_code == 0
    [yes] = said(up, "check", bo, "project:update", f"{acme}/api", status=0)
    assert re.fullmatch(
        rf"yes   {bo}: project:update on {acme}/api      ADMIN, OVERRIDE \(set by operator, \d+ s ago\)", yes
    )


@pytest.mark.parametrize("role", ["GUEST", "MEMBER", "ADMIN", None])
@pytest.mark.parametrize("permission", ["project:read", "project:update", "organization:read", "members:remove"])
def test_what_stands_after_to_allow_it_allows_it(up: Launched, api: str, role: str | None, permission: str) -> None:
    """Also for somebody who was locked out, and for one who is no member."""
    acme = api.partition("/")[0]
    bo = member(up, acme, role) if role else person(up, "bo")
    if role == "ADMIN":
        told(up.folder, "roles", "set", api, bo, "NONE")
    done = invoke(up.folder, "check", bo, permission, api, "--json")
    answer = json.loads(done.stdout)
    assert done.exit_code == (0 if answer["allowed"] else 1)
    if answer["allowed"]:
        assert (answer["needed_role"], answer["to_allow_it"]) == (None, None)
        assert permission in ("organization:read", "project:read", "members:remove")
        return
    for command in answer["to_allow_it"].split(" && "):
        program, *words = shlex.split(command)
        assert program == "tenantry"
        assert invoke(up.folder, *words).exit_code == 0
    assert told(up.folder, "check", bo, permission, api)["allowed"]


def test_every_source_of_a_role_is_told(up: Launched, api: str, ada: str) -> None:
    acme = api.partition("/")[0]
    guest, admin, zoe = member(up, acme, "GUEST"), member(up, acme, "ADMIN"), person(up, "zoe")
    expected = {
        ada: "ADMIN, OWNER: owners may do everything",
        admin: f"ADMIN, INHERITED: ADMIN of {acme}; admins are ADMIN on projects",
        guest: f"NONE, INHERITED: GUEST of {acme}; guests have no role on projects",
        zoe: f"NOT_A_MEMBER: not a member of {acme}",
    }
    for who, because in expected.items():
        answer = json.loads(invoke(up.folder, "check", who, "project:read", api, "--json").stdout)
        assert answer["because"] == because
        assert answer["source"] == because.partition(":")[0].split(", ")[-1]
    [yes] = said(up, "check", ada, "members:remove", acme, status=0)
    assert yes.endswith(f"on {acme}      OWNER of {acme}")
    [yes] = said(up, "check", admin, "members:remove", api, status=0)  # of the organization, asked about on a project
    assert yes.endswith(f"on {api}      ADMIN of {acme}")


def test_what_ends_is_told_with_its_end(up: Launched, api: str) -> None:
    acme, bo = api.partition("/")[0], person(up, "bo")
    told(up.folder, "members", "add", acme, bo, "--role", "MEMBER", "--until", "2099-01-31T18:00:00Z")
    told(up.folder, "roles", "set", api, bo, "EDITOR", "--until", "2098-01-31T18:00:00Z")
    assert said(up, "check", bo, "members:read", acme, status=0)[0].endswith(
        f"MEMBER of {acme}, until 2099-01-31T18:00:00Z"
    )
    assert said(up, "check", bo, "project:read", api, status=0)[0].endswith("s ago, until 2098-01-31T18:00:00Z)")


def test_explain_has_the_sentence_and_every_step(up: Launched, api: str) -> None:
    acme = api.partition("/")[0]
    bo = member(up, acme)
    told(up.folder, "roles", "set", api, bo, "EDITOR")
    question, sentence, *steps, advice = said(up, "explain", bo, "project:update", api, status=1)
    assert question == f"no    {bo}: project:update on {api}"
    assert sentence.strip().startswith(f"MEMBER of {acme}; {acme} gives members VIEWER; overridden to EDITOR on api by")
    assert sentence.endswith("project:update needs ADMIN: not allowed")
    assert [re.sub(r"\d+ s ago", "1 s ago", step.strip()) for step in steps] == [
        f"membership    MEMBER of {acme}",
        "inheritance   MEMBER gives VIEWER on projects",
        f"override      EDITOR on {api}, set by operator, 1 s ago",
        "requirement   project:update needs ADMIN: not held",
    ]
    assert advice == f"      to allow it:  tenantry roles set {api} {bo} ADMIN"
    answer = told(up.folder, "explain", bo, "project:read", api)
    assert answer["explanation"].endswith("project:read needs VIEWER: allowed")
    assert answer["steps"][2]["override"]["set_by_service"] == "operator"
    assert answer["steps"][3]["requirement"]["project_role"] == "VIEWER"


def test_who_set_a_role_is_told_by_their_address(up: Launched, api: str, ada: str) -> None:
    bo = member(up, api.partition("/")[0])
    told(up.folder, "roles", "set", api, bo, "EDITOR")
    ids = [told(up.folder, "users", "get", who)["user_id"] for who in (ada, bo)]
    with psycopg.connect(up.state["tenancy"]["database_url"]) as tenancy:
        tenancy.execute(
            """UPDATE project_members SET set_by_user_id = %s, set_by_service = NULL,
               update_time = now() - interval '3 days' WHERE user_id = %s""",
            ids,
        )
    [yes] = said(up, "check", bo, "project:read", api, status=0)
    assert yes.endswith(f"EDITOR, OVERRIDE (set by {ada}, 3 days ago)")


def test_a_place_is_also_taken_by_its_id(up: Launched, api: str, ada: str) -> None:
    made = told(up.folder, "projects", "get", api)
    asked = told(up.folder, "check", ada, "project:read", made["project_id"])
    assert (asked["place"], asked["allowed"]) == (api, True)
    asked = told(up.folder, "check", ada, "members:read", made["organization_id"])
    assert (asked["place"], asked["allowed"]) == (api.partition("/")[0], True)
    assert refused(up, "check", ada, "project:read", str(uuid4()))[0].startswith("error: there is no project")


def test_a_mistyped_permission_gets_the_nearest_name(up: Launched, api: str, ada: str) -> None:
    for verb in ("check", "explain"):
        said = refused(up, verb, ada, "project:updte", api, status=2)
        assert "PERMISSION_UNKNOWN" in said[0]
        assert said[1] == f"did you mean:  tenantry {verb} {ada} project:update {api}"


def test_a_permission_of_projects_is_not_asked_about_in_an_organization(up: Launched, acme: str, ada: str) -> None:
    assert refused(up, "check", ada, "project:read", acme, status=2) == [
        "error: project:read is held on projects, not in an organization",
        f"ask about one:  tenantry check {ada} project:read {acme}/PROJECT",
    ]


def test_whoever_or_whatever_is_not_there_is_no_answer_but_an_error(up: Launched, acme: str, ada: str) -> None:
    assert refused(up, "check", "nobody@example.com", "project:read", acme)[1].startswith("create them:")
    assert refused(up, "check", ada, "project:read", f"{acme}/nothing")[0].startswith("error: there is no project")
    assert refused(up, "check", ada, "members:read", "no-such")[0].startswith("error: there is no organization")


def test_of_somebody_suspended_the_roles_are_told_and_that_they_cannot_sign_in(up: Launched, acme: str) -> None:
    bo = member(up, acme)
    told(up.folder, "users", "suspend", bo)
    done = invoke(up.folder, "check", bo, "members:read", acme)
    assert done.exit_code == 0
    assert done.stderr == f"{bo} is SUSPENDED and cannot sign in: this is about the roles alone.\n"


def test_permissions_are_listed_with_the_least_role_they_need(up: Launched) -> None:
    rows = {row["permission"]: row for row in lines(up, "permissions", "list")}
    assert (rows["project:update"]["held_in"], rows["project:update"]["least_role"]) == ("project", "ADMIN")
    assert (rows["members:read"]["held_in"], rows["members:read"]["least_role"]) == ("organization", "MEMBER")
    first = json.loads(invoke(up.folder, "permissions", "list", "--json").stdout.splitlines()[0])
    assert first == {"permission": "audit:read", "organization_role": "ADMIN", "built_in": True}
