"""`tenantry secrets rotate`: a new secret signs, the older verify, nobody is logged out."""

import json
from pathlib import Path

import pytest

from protos.identity.v1.sessions_pb2 import CreateSessionRequest, ValidateSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import CreateUserRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.local_secrets import load_or_make, make_secret
from tenantry.testing.databases import Databases
from tenantry.testing.pair import identity_settings, running_identity
from tenantry.testing.people import AS_OPERATOR
from tests.calls import fails
from tests.command_line.invoked import invoke, told
from tests.command_line.launched import launched

PASSWORD = "tulip orbit canyon"
OLD = make_secret()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """The data folder of a local stack that does not run."""
    load_or_make(tmp_path / "secrets.json")
    return tmp_path


def held(folder: Path) -> list[str]:
    return load_or_make(folder / "secrets.json").session_secret.split(",")


def test_the_new_one_comes_first_and_at_most_five_are_kept(stack: Path) -> None:
    seen = held(stack)
    everything_else = json.loads((stack / "secrets.json").read_text())
    for count in range(2, 8):
        done = told(stack, "secrets", "rotate")
        new, *older = held(stack)
        assert new not in seen
        assert older == seen[:4]
        assert (done["secrets"], done["dropped"]) == (min(count, 5), int(count > 5))
        seen = [new, *seen]
    after = json.loads((stack / "secrets.json").read_text())
    assert {**after, "session_secret": ""} == {**everything_else, "session_secret": ""}
    assert (stack / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_it_says_what_to_do_next_and_shows_no_secret(stack: Path) -> None:
    done = invoke(stack, "secrets", "rotate")
    assert done.stdout.endswith("secrets.json   session secrets: 2, dropped: 0\n")
    assert "make run" in done.stderr
    assert "tenantry secrets rotate --retire" in done.stderr
    assert not any(secret in done.output for secret in held(stack))


def test_retiring_keeps_the_first_alone_and_says_what_ends(stack: Path) -> None:
    told(stack, "secrets", "rotate")
    first, _ = held(stack)
    done = invoke(stack, "secrets", "rotate", "--retire")
    assert held(stack) == [first]
    assert "Sessions signed by the others end" in done.stderr
    again = invoke(stack, "secrets", "rotate", "--retire")
    assert held(stack) == [first]
    assert "end with the restart" not in again.stderr


def test_without_a_stack_or_a_setting_there_is_nothing_to_rotate(folder: Path) -> None:
    refused = invoke(folder, "secrets", "rotate")
    assert (refused.exit_code, refused.stderr.splitlines()[1]) == (2, "make one:  make run")


@pytest.mark.parametrize("setting", ["SESSION_SECRETS", "SESSION_SECRET"])
def test_in_production_the_value_to_set_is_printed_and_no_file_touched(stack: Path, setting: str) -> None:
    before = held(stack)
    done = invoke(stack, "secrets", "rotate", **{setting: OLD})
    name, _, value = done.stdout.strip().partition("=")
    assert (name, value.split(",")[1:]) == ("SESSION_SECRETS", [OLD])
    assert "in two steps" in done.stderr
    assert held(stack) == before
    retired = invoke(stack, "secrets", "rotate", "--retire", SESSION_SECRETS=value)
    assert retired.stdout == f"SESSION_SECRETS={value.split(',')[0]}\n"


async def test_nobody_is_logged_out_by_a_rotation_and_all_by_retiring(databases: Databases, folder: Path) -> None:
    url = databases.service_url("identity", databases.copy("identity"))
    rotated = ",".join(told(folder, "secrets", "rotate", SESSION_SECRETS=OLD)["session_secrets"])
    [new] = told(folder, "secrets", "rotate", "--retire", SESSION_SECRETS=rotated)["session_secrets"]
    async with running_identity(identity_settings(url, SESSION_SECRETS=OLD)) as before:
        made = CreateUserRequest(email="ada@example.com", password=PASSWORD)
        await UserServiceStub(before.channel).CreateUser(made, metadata=AS_OPERATOR)
        signing_in = CreateSessionRequest(email="ada@example.com", password=PASSWORD)
        old = (await SessionServiceStub(before.channel).CreateSession(signing_in)).token
    async with running_identity(identity_settings(url, SESSION_SECRETS=rotated)) as after:
        sessions = SessionServiceStub(after.channel)
        await sessions.ValidateSession(ValidateSessionRequest(token=old), metadata=AS_OPERATOR)
        newer = (await sessions.CreateSession(signing_in)).token
    async with running_identity(identity_settings(url, SESSION_SECRETS=new)) as retired:
        sessions = SessionServiceStub(retired.channel)
        await sessions.ValidateSession(ValidateSessionRequest(token=newer), metadata=AS_OPERATOR)
        async with fails(Reason.SESSION_INVALID):
            await sessions.ValidateSession(ValidateSessionRequest(token=old), metadata=AS_OPERATOR)


def test_a_local_stack_takes_the_list_with_its_next_start(folder: Path) -> None:
    load_or_make_in(folder)
    told(folder, "secrets", "rotate")
    with launched(folder) as up:
        assert up.read_state()["session_secrets"] == held(folder)
        assert len(held(folder)) == 2


def load_or_make_in(folder: Path) -> None:
    folder.mkdir(mode=0o711)
    load_or_make(folder / "secrets.json")
