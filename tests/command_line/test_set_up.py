"""`requirements/set_up.py`: what a machine that is not ready is told, and what a ready one gets."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.command_line.launched import PROJECT

SCRIPT = PROJECT / "requirements" / "set_up.py"


@pytest.fixture
def set_up() -> ModuleType:
    specification = importlib.util.spec_from_file_location("set_up", SCRIPT)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_it_parses_on_any_python_3() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 4))


def test_a_python_that_is_too_old_is_named(set_up: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert set_up.what_is_missing((3, 9)) == "Python 3.9 found, 3.11 or later needed"


def test_a_newer_python_that_is_there_is_offered(set_up: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    newer = tmp_path / "python3.12"
    newer.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert set_up.what_is_missing((3, 9)).endswith("\ntry: PYTHON=python3.12 make run")


def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "ensurepip.py").write_text("raise ImportError('as on Debian')\n")
    done = subprocess.run(
        [sys.executable, SCRIPT], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == "error: this Python has no venv; on Debian: apt install python3-venv\n"


def test_the_command_is_there_after_set_up_and_a_second_run_does_nothing(set_up: Any, tmp_path: Path) -> None:
    venv.create(tmp_path / ".venv", symlinks=True)  # without pip, which would take seconds; nothing is to be installed
    (tmp_path / "requirements").mkdir()
    empty = tmp_path / "requirements" / "runtime.txt"
    empty.touch()
    (tmp_path / ".venv" / "installed-runtime.txt").write_text(set_up.fingerprint(str(empty)))
    (tmp_path / "tenantry").mkdir()
    (tmp_path / "tenantry" / "__main__.py").write_text("print('hello from', __file__)")
    assert re.fullmatch(r"First time here: virtual environment \d+ s", set_up.set_up(str(tmp_path), ["runtime"]))
    hello = subprocess.run([tmp_path / ".venv" / "bin" / "tenantry"], cwd="/", capture_output=True, text=True)
    assert hello.stdout == f"hello from {tmp_path}/tenantry/__main__.py\n"
    assert set_up.set_up(str(tmp_path), ["runtime"]) == ""


def test_make_help_lists_the_targets() -> None:
    shown = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    targets = [line.split()[1] for line in shown.splitlines() if line.startswith("make ")]
    assert targets == [
        "help",
        "run",
        "demo",
        "test",
        "test-long",
        "check",
        "protos",
        "reset",
        "lock",
        "bench",
        "bench-growth",
        "bench-memory",
        "bench-peers",
    ]
