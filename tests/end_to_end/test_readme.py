"""Every shell block and the Python block of the README, run as they stand, on a pair that `make run` started."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command_line.launched import COMMAND, PROJECT, environment, launched, new_folder

README = (PROJECT / "README.md").read_text()
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SHELL = [text for language, text in BLOCKS if language == "sh"]
PYTHON = [text for language, text in BLOCKS if language == "python"]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Of a pair started by the README's first block; its data are elsewhere than .tenantry, its ports free ones."""
    command = ["bash", "-ec", SHELL[0]]
    with new_folder() as data, launched(data, command=command, start_new_session=True) as running:
        assert running.process.poll() is None, running.lines
        yield data
        os.killpg(running.process.pid, signal.SIGINT)  # Ctrl-C reaches make and what it started
        running.rest()


def run(folder: Path, text: str) -> str:
    script = f"source {folder}/env\n" + text.replace(".tenantry/", f"{folder}/")
    done = subprocess.run(
        ["bash", "-ec", script], env=environment(folder), cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_readme_has_the_blocks_that_are_run_here() -> None:
    assert len(SHELL) == 7
    assert len(PYTHON) == 1
    assert "make run" in SHELL[0]
    assert len(re.findall(r"^```[a-z]", README, re.MULTILINE)) == len(BLOCKS) + 1  # and Express' own


NAMES = ["make demo", "users create", "buf curl", "users import", "orgs create", "test"]


@pytest.mark.parametrize("text", SHELL[1:], ids=NAMES)
def test_a_shell_block_works(folder: Path, text: str) -> None:
    assert run(folder, text)


def test_the_python_block_prints_what_it_says(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "first_call.py"
    file.write_text(PYTHON[0])
    assert run(folder, f"{sys.executable} {file}") == "True owners may do everything\n"


def test_the_commands_it_names_exist() -> None:
    told = subprocess.run([*COMMAND, "errors", "LAST_OWNER"], capture_output=True, text=True, cwd=PROJECT, timeout=30)
    assert "LAST_OWNER" in told.stdout
    targets = subprocess.run(["make", "help"], capture_output=True, text=True, cwd=PROJECT, timeout=30).stdout
    for target in re.findall(r"`make ([a-z]+)`", README):
        assert target == "help" or f"make {target}" in targets, target


def test_the_files_it_links_to_are_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)", README):
        assert (PROJECT / link).exists(), link
