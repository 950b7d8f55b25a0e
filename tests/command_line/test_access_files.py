"""`tenantry test`: files of people, roles and expected answers, without a server."""

import json
import subprocess
import sys
import xml.etree.ElementTree as Tree
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tenancy_service.permissions import OrgRole, ProjectRole
from tenantry.__main__ import cli
from tests.architecture.project import ROOT

EXAMPLE = ROOT / "docs" / "examples" / "access.toml"
ACME = """
[organizations.acme]
members = { ada = "OWNER", bo = "MEMBER", cy = "GUEST" }
[organizations.acme.projects]
api = {}
web = { bo = "EDITOR" }   # raised
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["test", *map(str, arguments)], prog_name="tenantry", catch_exceptions=False)


def tried(folder: Path, text: str, *arguments: str | Path) -> Result:
    file = folder / "access.toml"
    file.write_text(text)
    return run(file, *arguments)


def expect(who: str = "bo", on: str = "acme/api", **answers: str) -> str:
    lines = [f'{key} = "{value}"' for key, value in {"who": who, "on": on, **answers}.items()]
    return "\n".join(["[[expect]]", *lines, ""])


def problems(folder: Path, text: str) -> list[str]:
    """What is said of a file that is not right, a line each."""
    done = tried(folder, text)
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    first, *told = done.stderr.splitlines()
    assert first == f"error: {folder / 'access.toml'} is not right:"
    return [line.strip() for line in told]


def test_the_example_of_the_documentation_is_as_it_expects() -> None:
    done = run(EXAMPLE)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "36 answers, all as expected\n"


def test_the_file_is_access_toml_here_if_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tried(tmp_path, ACME + expect(allowed="project:read")).exit_code == 0
    assert run().exit_code == 0
    (tmp_path / "access.toml").unlink()
    assert run().exit_code == 2


def test_an_answer_that_is_not_as_expected_is_told_with_its_line_and_the_whole_path_to_it(tmp_path: Path) -> None:
    right = expect(allowed="project:read", denied="project:update")
    wrong = expect(on="acme/web", allowed="project:update", denied="project:read")
    done = tried(tmp_path, ACME + right + wrong)
    assert (done.exit_code, done.stderr) == (1, "")
    file = tmp_path / "access.toml"
    path = "MEMBER of acme; acme gives members VIEWER; overridden to EDITOR on web"
    assert done.stdout.splitlines() == [
        f"{file}:12  bo: project:update on acme/web  expected yes, is no",
        f"    {path}; project:update needs ADMIN: not allowed",
        f"{file}:12  bo: project:read on acme/web  expected no, is yes",
        f"    {path}; project:read needs VIEWER: allowed",
        "4 answers, 2 not as expected",
    ]


def test_as_json_it_is_one_object(tmp_path: Path) -> None:
    good = tried(tmp_path, ACME + expect(allowed="project:read"), "--json")
    file = str(tmp_path / "access.toml")
    assert (good.exit_code, json.loads(good.stdout)) == (
        0, {"file": file, "answers": 1, "failed": 0, "failures": []},
    )  # fmt: skip
    bad = tried(tmp_path, ACME + expect(who="cy", allowed="project:read"), "--json")
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)["failures"] == [
        {
            "line": 7,
            "who": "cy",
            "permission": "project:read",
            "on": "acme/api",
            "expected": "yes",
            "answer": "no",
            "role": "NONE",
            "source": "INHERITED",
            "because": "GUEST of acme; guests have no role on projects; project:read needs VIEWER: not allowed",
        }
    ]


def test_junit_has_a_case_for_each_answer_and_why_some_failed(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    text = ACME + expect(allowed="project:read", denied="project:update") + expect(who="cy", allowed="project:read")
    assert tried(tmp_path, text, "--junit", report).exit_code == 1
    suites = Tree.parse(report).getroot()
    assert (suites.tag, suites.get("tests"), suites.get("failures")) == ("testsuites", "3", "1")
    cases = suites.findall("testsuite/testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases] == [
        ("acme/api", "bo: project:read yes"),
        ("acme/api", "bo: project:update no"),
        ("acme/api", "cy: project:read yes"),
    ]
    [failure] = suites.findall("testsuite/testcase/failure")
    assert (failure.get("message") or "").startswith("expected yes, is no: GUEST of acme; ")
    assert tried(tmp_path, text, "--junit", tmp_path / "no" / "report.xml").exit_code == 2


@pytest.mark.parametrize("role", OrgRole)
@pytest.mark.parametrize("default", ProjectRole)
@pytest.mark.parametrize("override", [None, *ProjectRole])
def test_the_answers_are_those_of_the_role_table(
    tmp_path: Path, role: OrgRole, default: ProjectRole, override: ProjectRole | None
) -> None:
    """Said once more in words: owners are ADMIN, then what is set counts, then what the organization role gives."""
    if role is OrgRole.OWNER and override is not None:
        return  # refused: see below
    given = {OrgRole.ADMIN: ProjectRole.ADMIN, OrgRole.MEMBER: default, OrgRole.GUEST: ProjectRole.NONE}
    effective = ProjectRole.ADMIN if role is OrgRole.OWNER else override or given[role]
    reads, updates = effective >= ProjectRole.VIEWER, effective >= ProjectRole.ADMIN
    set_there = f'bo = "{override.name}"' if override else ""
    text = f"""
        [organizations.acme]
        default_project_role = "{default.name}"
        members = {{ bo = "{role.name}" }}
        projects.api = {{ {set_there} }}
        """
    text += expect(**{"allowed" if reads else "denied": "project:read"})
    text += expect(**{"allowed" if updates else "denied": "project:update"})
    text += expect(on="acme", **{"allowed" if role >= OrgRole.ADMIN else "denied": "members:invite"})
    done = tried(tmp_path, text)
    assert done.exit_code == 0, done.stdout


def test_everything_that_is_wrong_is_named_at_once_with_its_line_and_the_nearest_name(tmp_path: Path) -> None:
    text = """\
outsider = ["zoe"]
[organizations.acme]
default_project_role = "VIEWR"
members = { ada = "OWNER", bo = "MEMBR", cy = 3 }
owner = "ada"
[organizations.acme.projects]
api = { bob = "EDITOR", ada = "NONE" }  # not bo = "X"
[[expect]]
who = "boo"
on = "acme/apis"
allowed = ["project:raed"]
[[expect]]
on = ["acme", "acme/api"]
denied = "project:read"
because = "they may not"
[[expect]]
who = ["ada", 7]
on = "acme"
"""
    assert problems(tmp_path, text) == [
        'line 1: outsider: no such key; nearest: "outsiders"',
        'line 3: organizations.acme.default_project_role: "VIEWR" is no role here; nearest: "VIEWER"',
        'line 4: organizations.acme.members.bo: "MEMBR" is no role here; nearest: "MEMBER"',
        "line 4: organizations.acme.members.cy: a role in quotes is needed; there are: ADMIN, GUEST, MEMBER, OWNER",
        "line 5: organizations.acme.owner: no such key; there are: default_project_role, members, projects",
        'line 7: organizations.acme.projects.api.bob: no member of acme; nearest: "bo"',
        "line 7: organizations.acme.projects.api.ada: an OWNER is ADMIN on every project, whatever is set there",
        'line 9: expect.who: "boo" is nobody in this file; nearest: "bo"; who belongs nowhere is in outsiders',
        'line 10: expect.on: there is no "acme/apis" in this file; nearest: "acme/api"',
        'line 11: expect.allowed: "project:raed" is not defined; nearest: "project:read"',
        "line 12: expect: who is missing",
        'line 14: expect.denied: "project:read" is held on projects: on needs such as "acme/api"',
        "line 15: expect.because: no such key; there are: allowed, denied, on, who",
        "line 16: expect: neither allowed nor denied says what is expected",
        "line 17: expect.who: a text in quotes or a list of them is needed",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "line 1: expect: at least one [[expect]] with who, on and what is allowed or denied"),
        ("[expect]\n", "line 1: expect: at least one [[expect]] with who, on and what is allowed or denied"),
        ("organizations = 1\n" + expect(), "line 1: organizations: a table of names and values is needed"),
        ('[organizations."acme/api"]\n' + expect(), "line 1: organizations.acme/api: a slug has no /"),
        ("permissions = 7\n" + ACME, "line 1: permissions: the name of a file is needed"),
        ('permissions = "no.toml"\n' + ACME, "line 1: permissions: no.toml cannot be read: "),
    ],
)
def test_what_the_file_needs_is_said(tmp_path: Path, text: str, told: str) -> None:
    assert problems(tmp_path, text)[0].startswith(told)


def test_a_file_that_is_no_toml_is_refused_with_the_place(tmp_path: Path) -> None:
    done = tried(tmp_path, "[organizations\n")
    assert done.exit_code == 2
    assert "not TOML: " in done.stderr
    assert "line 1" in done.stderr
    (tmp_path / "access.toml").write_bytes(b"\xff\xfe")
    assert run(tmp_path / "access.toml").exit_code == 2


def test_the_products_own_permissions_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "permissions.toml").write_text('[project]\n"containers:restart" = "EDITOR"\n')
    own = 'permissions = "permissions.toml"\n' + ACME
    assert tried(tmp_path, own + expect(on="acme/web", allowed="containers:restart")).exit_code == 0
    assert tried(tmp_path, own + expect(denied="containers:restart")).exit_code == 0
    [told] = problems(tmp_path, own + expect(denied="container:restart"))
    assert told.endswith('"container:restart" is not defined; nearest: "containers:restart"')
    (tmp_path / "permissions.toml").write_text('[project]\n"containers:restart" = "EDITR"\n')
    [told] = problems(tmp_path, own + expect(denied="project:read"))
    assert told == 'line 1: permissions: "containers:restart" needs one of VIEWER, EDITOR, ADMIN'


def test_it_needs_neither_a_server_nor_what_talks_to_one() -> None:
    script = f"""
import sys
from tenantry.__main__ import cli
cli(["test", {str(EXAMPLE)!r}], standalone_mode=False)
assert not {{"grpc", "google.protobuf", "rich", "psycopg", "sqlalchemy", "pydantic"}} & sys.modules.keys()"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
