"""How `tenantry up` ends, asked to or not, and what is left: the data, and nothing else."""

import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line.launched import COMMAND, Launched, all_gone, environment, launched, new_folder, tenantry

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")


@pytest.fixture(scope="module")
def makefile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("make") / "Makefile"
    path.write_text(f"run:\n\t@{shlex.join([*COMMAND, 'up'])}\n")
    return path


@pytest.fixture(scope="module")
def first(makefile: Path) -> Iterator[Launched]:
    """A start by make that made the data and signed ada up, ended by an interrupt that only make got."""
    make = ["make", "-f", str(makefile), "run"]
    with new_folder() as folder, launched(folder, command=make) as up:
        assert tenantry(folder, "users", "create", "ada@example.com").returncode == 0
        up.read_state()
        assert up.end(signal.SIGINT) != 0  # make's own status
        yield up


@pytest.fixture
def folder(first: Launched) -> Path:
    return first.folder


def test_an_interrupt_leaves_no_process_and_no_run_json(first: Launched) -> None:
    assert "Stopped." in first.lines
    assert all_gone(first.state["pids"])
    assert not (first.folder / "run.json").exists()


def test_data_secrets_and_database_address_survive_a_restart_and_reset_waits_for_the_end(first: Launched) -> None:
    with launched(first.folder) as up:
        assert not up.lines[0].startswith("First time here")
        again, before = up.read_state(), first.state
        assert again["session_secrets"] == before["session_secrets"]
        assert again["service_keys"] == before["service_keys"]
        assert again["identity"]["database_url"] == before["identity"]["database_url"]
        taken = tenantry(up.folder, "users", "create", "Ada@example.com")
        reset = tenantry(up.folder, "reset", "--yes")
        assert up.end(signal.SIGTERM) == 0  # drains as Ctrl-C does
    assert taken.returncode == 4
    assert taken.stderr.startswith("error: An account with this email address exists.")
    assert "EMAIL_TAKEN (ALREADY_EXISTS)" in taken.stderr
    assert all_gone(again["pids"])
    assert reset.returncode == 4
    assert "stop it first with Ctrl-C" in reset.stderr


@ON_LINUX
def test_killed_or_its_make_killed_it_leaves_no_process_and_starts_again_at_once(folder: Path, makefile: Path) -> None:
    with launched(folder) as up:
        killed = up.read_state()["pids"]
        up.process.kill()
        up.process.wait()
        with launched(folder, command=["make", "-f", str(makefile), "run"]) as make:
            assert all_gone(killed)
            pids = make.read_state()["pids"]
            assert pids["tenantry"] != make.process.pid
            make.process.kill()
            assert all_gone(pids)
    assert not (folder / "run.json").exists()


@pytest.mark.parametrize(("name", "logged"), [("postgres", "unexpected postmaster exit"), ("tenancy", "ready")])
def test_one_that_dies_stops_all_and_is_named_with_the_end_of_its_log(folder: Path, name: str, logged: str) -> None:
    with launched(folder) as up:
        pids = up.read_state()["pids"]
        os.kill(pids[name], signal.SIGKILL)
        said = up.rest()
    assert up.process.returncode == 1
    assert f"error: {name} was ended by signal 9; the end of its log ({folder}/log/{name}.log):" in said
    assert logged in said
    assert all_gone(pids)
    assert not (folder / "run.json").exists()


def test_settings_that_a_service_refuses_are_shown(folder: Path) -> None:
    with launched(folder, env=environment(folder, SESSION_SECRET="rosebud")) as up:
        up.process.wait()
    said = "\n".join(up.lines)
    assert up.process.returncode == 1
    assert "error: identity stopped with exit status" in said
    assert "SESSION_SECRET" in said
    assert "rosebud" not in said


def test_reset_asks_and_then_empties_the_folder(folder: Path) -> None:
    asked = tenantry(folder, "reset")
    assert asked.returncode == 1
    assert "Delete everything in" in asked.stdout
    assert (folder / "postgres").exists()
    assert tenantry(folder, "reset", "--yes").returncode == 0
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_reset_leaves_a_folder_that_holds_other_things_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert tenantry(tmp_path, "reset", "--yes").returncode == 4
    assert (tmp_path / "thesis.txt").exists()
