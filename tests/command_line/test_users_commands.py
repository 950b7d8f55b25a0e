"""`tenantry users`: accounts by their addresses, in lines, facts and JSON."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tenantry import output
from tests.command_line.invoked import invoke, told
from tests.command_line.launched import COMMAND, PROJECT, Launched, environment

ABSENT = "00000000-0000-7000-8000-000000000000"


def new(up: Launched, *more: str) -> dict[str, Any]:
    made: dict[str, Any] = told(up.folder, "users", "create", f"Ada.{uuid4().hex[:8]}@example.com", *more)
    return made


def test_an_account_is_created_with_all_that_is_said_about_it(up: Launched) -> None:
    external = uuid4().hex
    made = new(up, "--name", "Ada", "--external-id", external, "--verified", "--no-password")
    assert "password" not in made
    found = told(up.folder, "users", "get", made["email"])
    assert found == made
    assert (found["display_name"], found["external_id"], found["state"]) == ("Ada", external, "ACTIVE")
    assert found["email_verified_time"]


def test_an_address_is_not_verified_unless_somebody_says_so(up: Launched) -> None:
    assert "email_verified_time" not in new(up)


def test_an_account_is_found_by_its_address_in_any_case_and_by_its_id(up: Launched) -> None:
    made = new(up, "--no-password")
    for who in (made["email"].upper(), made["user_id"], made["user_id"].upper()):
        assert told(up.folder, "users", "get", who) == made


def test_facts_are_tab_separated_in_a_pipe(up: Launched) -> None:
    made = new(up, "--name", "Ada")
    lines = invoke(up.folder, "users", "get", made["email"]).stdout.splitlines()
    facts = dict(line.split("\t") for line in lines)
    assert (facts["email"], facts["user_id"], facts["verified"]) == (made["email"], made["user_id"], "no")


@pytest.mark.parametrize("command", ["get", "suspend", "reactivate"])
def test_an_unknown_address_ends_with_the_command_that_creates_it(up: Launched, command: str) -> None:
    refused = invoke(up.folder, "users", command, "nobody@example.com")
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert refused.stderr.splitlines() == [
        "error: no user has the email nobody@example.com   USER_NOT_FOUND",
        "create them:  tenantry users create nobody@example.com",
    ]
    by_id = invoke(up.folder, "users", command, ABSENT)
    assert by_id.stderr.splitlines()[0] == f"error: no user has the id {ABSENT}   USER_NOT_FOUND"


def test_what_is_no_address_is_told_by_the_service(up: Launched) -> None:
    refused = invoke(up.folder, "users", "get", "ada")
    assert refused.exit_code == 4
    assert "not an email address" in refused.stderr


def test_lists_come_whole_in_a_pipe_from_page_to_page(up: Launched, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = uuid4().hex[:8]
    for number in range(5):
        told(up.folder, "users", "create", f"{prefix}{number}@example.com", "--no-password")
    monkeypatch.setattr(output, "PAGE", 2)
    chosen = ("users", "list", "--filter", f'email = "{prefix}*"')
    table = invoke(up.folder, *chosen).stdout.splitlines()
    assert table[0].split("\t") == ["email", "user_id", "display_name", "state", "created"]
    assert [line.split("\t")[0] for line in table[1:]] == [f"{prefix}{number}@example.com" for number in range(5)]
    as_json = invoke(up.folder, *chosen, "--json").stdout.splitlines()
    assert [json.loads(line)["email"] for line in as_json] == [line.split("\t")[0] for line in table[1:]]


def test_a_limit_never_cuts_in_silence(up: Launched) -> None:
    prefix = uuid4().hex[:8]
    for number in range(3):
        told(up.folder, "users", "create", f"{prefix}{number}@example.com", "--no-password")
    chosen = ("users", "list", "--filter", f'email = "{prefix}*"')
    two = invoke(up.folder, *chosen, "--limit", "2", "--json")
    assert len(two.stdout.splitlines()) == 2
    assert two.stderr == "These are the first 2; all of them:  tenantry users list --limit 0\n"
    assert invoke(up.folder, *chosen, "--limit", "3", "--json").stderr == ""


def test_a_wrong_filter_is_told_with_its_place(up: Launched) -> None:
    refused = invoke(up.folder, "users", "list", "--filter", "name = ada")
    assert (refused.exit_code, refused.stdout) == (4, "")
    assert "position 1" in refused.stderr


def test_on_a_terminal_lists_are_aligned_and_names_cannot_steer_it(up: Launched) -> None:
    made = new(up, "--name", "[bold]Ada[/bold]")
    ours, theirs = pty.openpty()
    command = [*COMMAND, "users", "list", "--filter", f'email = "{made["email"]}"']
    shown = {"COLUMNS": "150", "TERM": "dumb"}
    subprocess.run(command, env=environment(up.folder, **shown), cwd=PROJECT, stdout=theirs, check=True)
    os.close(theirs)
    text = os.read(ours, 10_000).decode()
    os.close(ours)
    header, line, *_ = text.splitlines()
    assert "\t" not in text
    assert header.index("state") == line.index("ACTIVE")
    assert "[bold]Ada[/bold]" in line


def test_suspending_ends_sessions_and_reactivating_lets_in_again(up: Launched) -> None:
    made = new(up)
    for _ in range(2):  # a repeat changes nothing
        assert told(up.folder, "users", "suspend", made["email"])["state"] == "SUSPENDED"
    line = invoke(up.folder, "users", "reactivate", made["email"]).stdout
    assert line == f"{made['email']}   {made['user_id']}   ACTIVE\n"


def test_deleting_needs_a_yes_and_says_how_to_undo_it(up: Launched) -> None:
    made = new(up)
    refused = invoke(up.folder, "users", "delete", made["email"])
    assert refused.exit_code == 2
    assert refused.stderr.splitlines()[1] == f"without asking:  tenantry users delete {made['email']} --yes"
    assert told(up.folder, "users", "get", made["email"])["state"] == "ACTIVE"
    done = invoke(up.folder, "users", "delete", made["email"], "--yes", "--json")
    assert json.loads(done.stdout)["state"] == "DELETED"
    found = re.fullmatch(r"Until (\S+) you can undo it:  tenantry (users undelete \S+)\n", done.stderr)
    assert found
    assert invoke(up.folder, "users", "get", made["email"]).exit_code == 4
    assert invoke(up.folder, *found[2].split()).exit_code == 0
    assert told(up.folder, "users", "get", made["email"])["state"] == "ACTIVE"


def test_undeleting_takes_the_address_where_it_says_which(up: Launched) -> None:
    made = new(up, "--no-password")
    told(up.folder, "users", "delete", made["email"], "--yes")
    assert told(up.folder, "users", "undelete", made["email"])["user_id"] == made["user_id"]
    told(up.folder, "users", "delete", made["email"], "--yes")
    second = told(up.folder, "users", "create", made["email"], "--no-password")
    told(up.folder, "users", "delete", made["email"], "--yes")
    refused = invoke(up.folder, "users", "undelete", made["email"])
    assert refused.exit_code == 2
    assert {line.split()[-1] for line in refused.stderr.splitlines()[1:]} == {made["user_id"], second["user_id"]}
    nobody = invoke(up.folder, "users", "undelete", "nobody@example.com")
    assert (nobody.exit_code, nobody.stdout) == (4, "")


@pytest.mark.parametrize(("shell", "asked"), [("bash", "bash_complete"), ("zsh", "zsh_complete")])
def test_completion_knows_the_commands(folder: Path, shell: str, asked: str) -> None:
    script = invoke(folder, "completion", shell)
    assert script.exit_code == 0
    assert f"_TENANTRY_COMPLETE={asked}" in script.stdout
    words = {"_TENANTRY_COMPLETE": asked, "COMP_WORDS": "tenantry users s", "COMP_CWORD": "2"}
    program = "import sys; sys.argv[0] = 'tenantry'; from tenantry.__main__ import main; main()"
    done = subprocess.run(
        [COMMAND[0], "-c", program], env=environment(folder, **words), cwd=PROJECT, capture_output=True, text=True
    )
    assert "suspend" in done.stdout
