"""Where things lie: the code, the data folder, and how private files are written."""

import os
from pathlib import Path

CODE = Path(__file__).resolve().parent.parent


def project_folder() -> Path:
    """The checkout, or, for an installed package, the folder it is used in."""
    return CODE if (CODE / "pyproject.toml").is_file() else Path.cwd()


def default_data_folder() -> Path:
    return project_folder() / ".tenantry"


def data_folder() -> Path:
    chosen = os.environ.get("TENANTRY_DATA_DIR")
    return Path(chosen).absolute() if chosen else default_data_folder()


def make_data_folder(folder: Path) -> None:
    # Enterable by PostgreSQL's user when root runs this; what is private in it has its own mode.
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    for name in ("log", "mail"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)


def shown(path: Path) -> str:
    """Short where that is clear: relative to where the person stands."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def write_private(path: Path, text: str) -> None:
    """Readable by its owner alone, and never half written."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    unfinished.rename(path)
