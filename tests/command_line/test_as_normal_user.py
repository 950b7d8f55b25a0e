"""Everything works as root, and as somebody who is not."""

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.command_line.launched import PROJECT, all_gone, environment, launched

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="every other test runs as a normal user already")


@pytest.fixture
def nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


@pytest.fixture
def python(nobody: pwd.struct_passwd) -> str:
    """One of this version that this user may run; ours may lie below root's home."""
    name = f"python3.{sys.version_info.minor}"
    for candidate in (sys.executable, shutil.which(name, path="/usr/local/bin:/usr/bin")):
        command = [str(candidate), "-c", "import encodings"]
        try:
            subprocess.run(command, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], check=True, cwd="/")
        except (OSError, subprocess.CalledProcessError):
            continue
        return str(candidate)
    pytest.skip(f"no {name} that the user nobody may run")


def test_it_runs_as_a_normal_user(folder: Path, nobody: pwd.struct_passwd, python: str) -> None:
    os.chown(folder.parent, nobody.pw_uid, nobody.pw_gid)
    packages = os.pathsep.join([str(PROJECT), sysconfig.get_path("purelib")])
    with launched(
        folder,
        command=[python, "-B", "-m", "tenantry", "up"],
        python=python,
        env=environment(folder, PYTHONPATH=packages, HOME="/nonexistent"),
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
    ) as up:
        pids = up.read_state()["pids"]
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in pids.values()} == {nobody.pw_uid}
        assert (folder / "postgres" / "data").stat().st_uid == nobody.pw_uid
        assert up.end() == 0
    assert all_gone(pids)
