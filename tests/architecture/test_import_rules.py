"""The rules about who imports whom are kept, and are all there."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.architecture.project import ROOT


def test_the_import_rules_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    assert "6 kept, 0 broken" in done.stdout


def test_none_of_the_rules_was_dropped() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    kinds = [contract["type"] for contract in contracts]
    assert kinds == ["independence", "layers", "layers", "forbidden", "forbidden", "forbidden"]
