"""The project's own files, as git knows them."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("identity_service", "tenancy_service")


def tracked() -> list[Path]:
    """Every file that is committed or about to be, generated ones too."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in told.splitlines() if (ROOT / name).is_file()]


def python_files(*folders: str) -> list[Path]:
    """Ours, not the generated ones; below the folders, or all."""
    return [
        path
        for path in tracked()
        if path.suffix == ".py"
        and "_pb2" not in path.name
        and (not folders or path.relative_to(ROOT).parts[0] in folders)
    ]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
