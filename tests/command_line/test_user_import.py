"""`tenantry users import` against a running pair: what is created, rejected, interrupted and gone on with."""

import csv
import fcntl
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.message import Message

from tenantry import client
from tenantry.client import Ask
from tenantry.user_import import plan, progress, run
from tests.command_line.invoked import invoke, told
from tests.command_line.launched import COMMAND, PROJECT, Launched, environment


@pytest.fixture
def ask(up: Launched, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TENANTRY_DATA_DIR", str(up.folder))
    with client.as_operator("identity") as asked:
        yield asked


def people(folder: Path, count: int, name: str = "people.csv") -> tuple[Path, str]:
    """A file of as many, and what their addresses begin with."""
    prefix = uuid4().hex[:10]
    file = folder / name
    file.write_text("email,name\n" + "".join(f"{prefix}-{n}@example.com,N{n}\n" for n in range(count)))
    return file, prefix


def there(up: Launched, prefix: str) -> list[str]:
    listed = invoke(up.folder, "users", "list", "--filter", f'email = "{prefix}*"', "--json").stdout.splitlines()
    return [json.loads(line)["email"] for line in listed]


def all_of(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{n}@example.com" for n in range(count)]


def test_columns_are_shown_before_it_begins_and_counts_at_the_end(up: Launched, tmp_path: Path) -> None:
    prefix = uuid4().hex[:10]
    file = tmp_path / "people.csv"
    file.write_bytes(f"\ufeffMail;First Name;Last Name;Phone\n{prefix}@example.com;Ada;Lovelace;1\n".encode())
    done = invoke(up.folder, "users", "import", str(file))
    assert (done.exit_code, done.stdout) == (0, "created 1   rejected 0\n")
    assert [line.split(maxsplit=1) for line in done.stderr.splitlines()[1:]] == [
        ["email", "Mail"],
        ["name", "First Name + Last Name"],
        ["not", "taken         Phone"],
    ]
    assert told(up.folder, "users", "get", f"{prefix}@example.com")["display_name"] == "Ada Lovelace"


def test_a_dry_run_tells_what_is_wrong_and_changes_nothing(up: Launched, tmp_path: Path) -> None:
    file, prefix = people(tmp_path, 2)
    file.write_text(file.read_text() + "nobody,X\n")
    looked = invoke(up.folder, "users", "import", str(file), "--dry-run")
    assert (looked.exit_code, looked.stdout) == (1, "fit 2   unfit 1   password hashes: none 2\n")
    assert "line 4: email: not an email address such as ada@example.com\n" in looked.stderr
    assert there(up, prefix) == []
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_rejected_records_are_fixed_and_fed_back(up: Launched, tmp_path: Path, kind: str) -> None:
    prefix = uuid4().hex[:10]
    taken = told(up.folder, "users", "create", f"{prefix}-taken@example.com")["email"]
    rows = [{"email": email, "phone": "1"} for email in (f"{prefix}-a@example.com", "wrong", taken)]
    file = tmp_path / f"people.{kind}"
    if kind == "csv":
        file.write_text("email;phone\n" + "".join(f"{row['email']};1\n" for row in rows))
    else:
        lines = [json.dumps(row) for row in rows]
        file.write_text("\n".join(lines) if kind == "jsonl" else f"[{', '.join(lines)}]")
    done = invoke(up.folder, "users", "import", str(file), "--json")
    rejected = tmp_path / ("people.rejected.csv" if kind == "csv" else "people.rejected.jsonl")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"created": 1, "rejected": 2, "rejected_file": str(rejected)}
    assert rejected.stat().st_mode & 0o777 == 0o600
    text = rejected.read_text()
    if kind == "csv":
        assert next(csv.reader(text.splitlines(), delimiter=";")) == [
            "tenantry_line",
            "tenantry_reason",
            "email",
            "phone",
        ]
    assert "EMAIL_TAKEN" in text
    assert f"tenantry users import {rejected}" in done.stderr
    rejected.write_text(text.replace("wrong", f"{prefix}-b@example.com").replace(taken, f"{prefix}-c@example.com"))
    fixed = invoke(up.folder, "users", "import", str(rejected), "--json")
    assert (fixed.exit_code, json.loads(fixed.stdout)["created"]) == (0, 2)
    assert "not taken         phone\n" in fixed.stderr  # and not the two columns of ours
    assert len(there(up, prefix)) == 4


def test_bytes_that_are_not_utf_8_come_back_as_they_were(up: Launched, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(b"email,name\nlatin@example.com,Andr\xe9\n")
    assert invoke(up.folder, "users", "import", str(file)).exit_code == 1
    assert b"latin@example.com,Andr\xe9\n" in (tmp_path / "people.rejected.csv").read_bytes()


class BrokenError(Exception):
    """The connection is gone."""


def breaking(ask: Ask, after: int, *, is_answer_lost: bool) -> Ask:
    """The call after so many does not arrive, or its answer does not."""
    calls = 0

    def asked(method: str, request: Message, response_type: Any, *, timeout: float = 10) -> Any:
        nonlocal calls
        calls += 1
        if calls > after and not is_answer_lost:
            raise BrokenError
        response = ask(method, request, response_type, timeout=timeout)
        if calls > after:
            raise BrokenError
        return response

    return asked


@pytest.mark.parametrize("is_answer_lost", [False, True])
def test_an_interrupted_import_goes_on_and_counts_nobody_twice(
    up: Launched, ask: Ask, tmp_path: Path, is_answer_lost: bool
) -> None:
    file, prefix = people(tmp_path, 20)
    lines = file.read_text().splitlines()
    lines[3] = lines[12] = "wrong,X"
    file.write_text("\n".join(lines))
    made = plan.make(file, "", ())
    with pytest.raises(BrokenError):
        run.import_all(made, breaking(ask, 2, is_answer_lost=is_answer_lost), 5, lambda _: None)
    rejected = tmp_path / "people.rejected.csv"
    rejected.write_text(rejected.read_text() + "13,written but not on record,wrong,X\n")
    assert len(there(up, prefix)) == (13 if is_answer_lost else 9)
    done = run.import_all(made, ask, 5, lambda _: None)
    assert (done.position, done.created, done.rejected, done.is_done) == (20, 18, 2, True)
    assert [line.split(",")[0] for line in rejected.read_text().splitlines()] == ["tenantry_line", "4", "13"]
    assert len(there(up, prefix)) == 18


def test_a_killed_import_ends_with_the_same_result(up: Launched, tmp_path: Path) -> None:
    file, prefix = people(tmp_path, 100)
    command = [*COMMAND, "users", "import", str(file), "--batch", "2", "--json"]
    plain = environment(up.folder)
    with subprocess.Popen(command, env=plain, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not progress.place(file).exists():  # until the first batch is on record
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    before = json.loads(progress.place(file).read_text())
    assert not before["is_done"]
    assert told(up.folder, "users", "import", str(file), "--batch", "2") == {
        "created": 100, "rejected": 0, "rejected_file": None,
    }  # fmt: skip
    assert sorted(there(up, prefix)) == sorted(all_of(prefix, 100))


def test_a_second_time_nothing_is_sent(up: Launched, tmp_path: Path) -> None:
    file, prefix = people(tmp_path, 2)
    first = told(up.folder, "users", "import", str(file))
    assert told(up.folder, "users", "import", str(file)) == first
    assert sorted(there(up, prefix)) == all_of(prefix, 2)


def test_what_was_begun_otherwise_is_not_gone_on_with(up: Launched, ask: Ask, tmp_path: Path) -> None:
    file, _ = people(tmp_path, 4)
    with pytest.raises(BrokenError):
        run.import_all(plan.make(file, "", ()), breaking(ask, 1, is_answer_lost=False), 2, lambda _: None)
    other = invoke(up.folder, "users", "import", str(file), "--map", "name=")
    assert other.exit_code == 2
    assert "with other options is under way, 2 records are done" in other.stderr
    file.write_text(file.read_text() + "more@example.com,\n")
    changed = invoke(up.folder, "users", "import", str(file))
    assert changed.exit_code == 2
    assert f"rm {progress.place(file)}" in changed.stderr


def test_rejected_records_of_before_are_not_overwritten(up: Launched, tmp_path: Path) -> None:
    file, prefix = people(tmp_path, 1)
    (tmp_path / "people.rejected.csv").write_text("email\n")
    refused = invoke(up.folder, "users", "import", str(file))
    assert refused.exit_code == 2
    assert "people.rejected.csv of an earlier import would be overwritten" in refused.stderr
    assert there(up, prefix) == []


def test_two_imports_of_one_file_do_not_run_at_a_time(up: Launched, tmp_path: Path) -> None:
    file, prefix = people(tmp_path, 1)
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = invoke(up.folder, "users", "import", str(file))
    assert (refused.exit_code, there(up, prefix)) == (2, [])
    assert invoke(up.folder, "users", "import", str(file)).exit_code == 0


def test_where_nobody_answers_it_says_that_it_can_go_on(folder: Path, tmp_path: Path) -> None:
    file, _ = people(tmp_path, 1)
    nowhere = {"IDENTITY_ADDRESS": "127.0.0.1:9", "TENANTRY_SERVICE_KEY": "operator.none"}
    refused = invoke(folder, "users", "import", str(file), **nowhere)
    assert refused.exit_code == 3
    assert refused.stderr.endswith("What is imported is on record; the same command goes on.\n")
