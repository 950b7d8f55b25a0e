"""The small commands: what they print, and their exit statuses."""

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from shared.reasons import Reason
from tests.command_line.launched import COMMAND, PROJECT, Launched, environment, tenantry


def test_status_says_what_is_serving_tab_separated_in_a_pipe(up: Launched) -> None:
    shown = tenantry(up.folder, "status")
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[1] == f"identity\t{up.state['identity']['address']}\tserving"


def test_status_as_json_is_one_object(up: Launched) -> None:
    shown = tenantry(up.folder, "status", "--json")
    assert json.loads(shown.stdout) == {
        "identity": {"address": up.state["identity"]["address"], "serving": True},
        "tenancy": {"address": up.state["tenancy"]["address"], "serving": True},
    }
    assert tenantry(up.folder, "status", "tenancy").returncode == 0


def test_status_as_env_can_be_read_by_a_shell(up: Launched) -> None:
    lines = tenantry(up.folder, "status", "--env").stdout
    asked = f"{lines}\necho $IDENTITY_ADDRESS $TENANCY_ADDRESS $TENANTRY_SERVICE_KEY"
    done = subprocess.run(["/bin/sh", "-c", asked], capture_output=True, text=True, check=True)
    state = up.state
    expected = [state["identity"]["address"], state["tenancy"]["address"], state["service_keys"]["operator"]]
    assert done.stdout.split() == expected


def test_the_nearest_run_json_above_is_found_and_otherwise_the_environment(up: Launched, tmp_path: Path) -> None:
    plain = environment(up.folder, PYTHONPATH=str(PROJECT))
    del plain["TENANTRY_DATA_DIR"]
    (tmp_path / ".tenantry").symlink_to(up.folder)
    (tmp_path / "below").mkdir()
    found = subprocess.run([*COMMAND, "status"], env=plain, cwd=tmp_path / "below", capture_output=True, text=True)
    assert up.state["identity"]["address"] in found.stdout
    (tmp_path / ".tenantry").unlink()
    pasted = {
        "IDENTITY_ADDRESS": f"http://{up.state['identity']['address']}",
        "TENANCY_ADDRESS": f"https://{up.state['tenancy']['address']}/",
    }
    found = subprocess.run(
        [*COMMAND, "status", "--json"], env=plain | pasted, cwd=tmp_path, capture_output=True, text=True
    )
    assert found.returncode == 0
    assert json.loads(found.stdout)["tenancy"] == {"address": up.state["tenancy"]["address"], "serving": True}


def test_status_of_nothing_is_3_and_says_how_to_start(folder: Path) -> None:
    nowhere = {"IDENTITY_ADDRESS": "127.0.0.1:9", "TENANCY_ADDRESS": "127.0.0.1:9"}
    shown = tenantry(folder, "status", **nowhere)
    assert shown.returncode == 3
    assert "identity\t127.0.0.1:9\tnot reachable" in shown.stdout
    assert shown.stderr == "start the pair with: make run\n"


def test_a_user_is_created_with_a_password_that_is_made(up: Launched) -> None:
    made = tenantry(up.folder, "users", "create", "eve@example.com", "--name", "Eve", "--json")
    user = json.loads(made.stdout)
    assert (user["email"], user["display_name"]) == ("eve@example.com", "Eve")
    assert len(user["password"]) >= 15
    refused = tenantry(up.folder, "users", "create", "eve@example.com")
    assert refused.returncode == 4
    assert refused.stderr.splitlines()[-1] == "more:  tenantry errors EMAIL_TAKEN"
    quiet = tenantry(up.folder, "users", "create", "eva@example.com", "-q")
    assert (quiet.returncode, quiet.stdout) == (0, "")


def test_a_pair_that_is_not_there_is_3(folder: Path) -> None:
    nowhere = {"IDENTITY_ADDRESS": "127.0.0.1:9", "TENANTRY_SERVICE_KEY": "operator.none"}
    refused = tenantry(folder, "users", "create", "eve@example.com", **nowhere)
    assert refused.returncode == 3
    assert refused.stderr.startswith("error: nobody answers there   UNAVAILABLE\n")


def test_errors_explains_a_reason(folder: Path) -> None:
    shown = tenantry(folder, "errors", "last_owner").stdout
    entry = Reason.LAST_OWNER.value
    for part in ("LAST_OWNER", "FAILED_PRECONDITION", entry.happened, entry.next_step, "docs/errors.md#LAST_OWNER"):
        assert part in shown
    as_json = json.loads(tenantry(folder, "errors", "LAST_OWNER", "--json").stdout)
    assert as_json["what_to_do_next"] == entry.next_step


def test_errors_lists_all_and_names_the_nearest_of_an_unknown_one(folder: Path) -> None:
    listed = tenantry(folder, "errors").stdout.splitlines()
    assert [line.split("\t")[0] for line in listed[1:]] == list(Reason.__members__)
    unknown = tenantry(folder, "errors", "LAST_OWNERS")
    assert unknown.returncode == 2
    assert "did you mean:  tenantry errors LAST_OWNER\n" in unknown.stderr


def test_a_service_key_comes_with_the_entry_that_accepts_it(folder: Path) -> None:
    made = json.loads(tenantry(folder, "keys", "make-service-key", "billing", "--json").stdout)
    name, _, secret = made["key"].partition(".")
    assert name == "billing"
    assert made["service_keys_entry"] == f"billing:{hashlib.sha256(secret.encode()).hexdigest()}"
    assert tenantry(folder, "keys", "make-service-key", "no.dots").returncode == 2


def test_secrets_are_long_and_different(folder: Path) -> None:
    first, second = (tenantry(folder, "secrets", "make").stdout.strip() for _ in range(2))
    assert first != second
    assert re.fullmatch(r"[\w-]{48}", first)


def test_a_mistyped_command_gets_the_nearest_name(folder: Path) -> None:
    refused = tenantry(folder, "stauts")
    assert refused.returncode == 2
    assert "Did you mean 'status'?" in refused.stderr


def test_help_loads_nothing_that_takes_time(folder: Path) -> None:
    slow = "{'grpc', 'google', 'protos', 'rich', 'sqlalchemy', 'psycopg', 'pydantic'}"
    script = f"import sys, tenantry.__main__; print(*sorted({slow} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(folder), cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_migrate_finds_the_running_pair_and_says_what_is_missing_elsewhere(up: Launched, folder: Path) -> None:
    done = tenantry(up.folder, "migrate")
    assert done.stdout.splitlines() == ["identity is at the newest schema", "tenancy is at the newest schema"]
    refused = tenantry(folder, "migrate", "tenancy")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: TENANCY_MIGRATION_URL is not set")


@pytest.fixture(scope="module")
def make_works() -> None:
    if not (Path(sys.prefix) / "bin" / "tenantry").exists():
        pytest.skip("the environment was not made by `make`, so the command tenantry is not on its PATH")


@pytest.mark.usefixtures("make_works")
def test_every_command_that_the_banner_prints_runs(up: Launched) -> None:
    shown = up.lines[up.lines.index(next(line for line in up.lines if line.startswith("Ready after"))) + 1 : -1]
    demo, source, create, grpcurl = (re.split(r"   +", line.strip())[0] for line in shown)
    run_in_shell(up, demo)
    run_in_shell(up, f"{source} && {create}")
    # buf is at hand, grpcurl is not; they ask the same way, by reflection.
    program, plain, flag, body, address, method = shlex.split(grpcurl)
    assert (program, plain, flag) == ("grpcurl", "-plaintext", "-d")
    buf = [str(Path(sys.prefix) / "bin" / "buf"), "curl", "--protocol", "grpc", "--http2-prior-knowledge"]
    run_in_shell(up, shlex.join([*buf, "-d", body, f"http://{address}/{method}"]))


def run_in_shell(up: Launched, line: str) -> None:
    plain = {name: value for name, value in environment(up.folder).items() if name != "TENANTRY_DATA_DIR"}
    plain["PYTHON"] = os.path.realpath(sys.executable)
    done = subprocess.run(
        ["bash", "-c", line], env=plain, cwd=PROJECT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
