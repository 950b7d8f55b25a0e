"""How far an import is: a file beside its input, written after each batch, so that it can be interrupted anywhere."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tenantry.failures import WRONG_USE, Failure
from tenantry.project import write_private


@dataclass(slots=True)
class Progress:
    """`position` is how many records are done, `rejected_bytes` how long the file of the rejected ones is then."""

    sha256: str
    choices: str
    position: int = 0
    created: int = 0
    rejected: int = 0
    rejected_bytes: int = 0
    is_done: bool = False


def place(path: Path) -> Path:
    return path.with_name(f"{path.name}.tenantry-progress")


def rejected_place(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.stem}.rejected{suffix}")


def save(path: Path, progress: Progress) -> None:
    write_private(place(path), json.dumps(asdict(progress), indent=2) + "\n")


def begin_or_go_on(path: Path, choices: str, rejected: Path) -> Progress:
    """`choices` are what changes the meaning of the file: recipe and columns."""
    new = Progress(digest(path), choices)
    try:
        old = Progress(**json.loads(place(path).read_text()))
    except FileNotFoundError:
        old = None
    except (ValueError, TypeError):
        raise Failure(f"{place(path).name} is damaged", WRONG_USE, f"begin anew:  rm {place(path)}") from None
    is_same = old is not None and (old.sha256, old.choices) == (new.sha256, new.choices)
    if old and is_same:
        return old
    if old and not old.is_done:
        what = "other options" if old.sha256 == new.sha256 else "other content of the file"
        hint = f"begin anew, where those imported already answer EMAIL_TAKEN:  rm {place(path)}"
        raise Failure(
            f"an import of {path.name} with {what} is under way, {old.position} records are done", WRONG_USE, hint
        )
    if rejected.exists():
        hint = "fix it and import it, or move it away"
        raise Failure(f"{rejected.name} of an earlier import would be overwritten", WRONG_USE, hint)
    return new


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
