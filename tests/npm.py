"""Installs what a package-lock.json says, where that has not been done."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def install(folder: Path) -> Path:
    """The folder of its programs; skips where npm is missing, but not in CI."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        told = "node and npm not found; on Debian: apt-get install nodejs npm"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(told)
    done, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, check=True, timeout=110)
    return folder / "node_modules" / ".bin"
