"""Installs the packages of programs in Node that tests run."""

import shutil
import subprocess
from pathlib import Path

import pytest


def install(folder: Path) -> None:
    """Skips where node is missing; installs what package-lock.json says if that has not been done."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    done, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, timeout=110)
