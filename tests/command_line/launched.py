"""Run the `tenantry` command as people do: as a process, in a data folder of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tenantry.processes import is_alive
from tenantry.run_state import RunState
from tenantry.testing.group import AS_IN_A_TERMINAL

PROJECT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "tenantry"]
LAST_LINE = "Ctrl-C drains and stops."
FROM_OUTSIDE = (
    "TENANTRY_",
    "IDENTITY_",
    "TENANCY_",
    "SESSION_",
    "SERVICE_",
    "GATEWAY",
    "MAKE",
    "MFLAGS",
    "DATABASE_URL",
)


def environment(folder: Path, **more: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(FROM_OUTSIDE)}
    ports = {"IDENTITY_PORT": "0", "TENANCY_PORT": "0"}
    return {**plain, **ports, "TENANTRY_DATA_DIR": str(folder), **more}


def tenantry(folder: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(folder, **more),
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@dataclass
class Launched:
    """A `tenantry up` under way, with what it printed until it was ready or gone."""

    folder: Path
    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    state: RunState = field(init=False)

    def read_state(self) -> RunState:
        self.state = cast(RunState, json.loads((self.folder / "run.json").read_text()))
        return self.state

    def rest(self) -> str:
        """What it says until it ends by itself."""
        said, _ = self.process.communicate(timeout=30)
        self.lines += said.splitlines()
        return said

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """The signal goes to this one process, which may be a make."""
        self.process.send_signal(number)
        self.rest()
        return self.process.returncode


@contextmanager
def launched(
    folder: Path, *, command: list[str] | None = None, python: str = sys.executable, **more: Any
) -> Iterator[Launched]:
    """Read until it is ready or gone; ended with the block if the test did not. `python` is one that `user` may run."""
    process = subprocess.Popen(
        [python, "-B", "-c", AS_IN_A_TERMINAL, str(os.getpid()), *(command or [*COMMAND, "up"])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **{"env": environment(folder), "cwd": PROJECT, **more},
    )
    with process:
        up = Launched(folder, process)
        assert process.stdout
        for line in process.stdout:
            up.lines.append(line.rstrip("\n"))
            if up.lines[-1] == LAST_LINE:
                break
        try:
            yield up
        finally:
            if process.poll() is None:
                up.end(signal.SIGTERM)


@contextmanager
def new_folder(environment: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Not pytest's own: root's PostgreSQL runs as a user who cannot enter that one."""
    with tempfile.TemporaryDirectory(prefix="tenantry-test-", dir=environment.get("TMPDIR")) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"


def all_gone(pids: Mapping[Any, int], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while any(is_alive(pid) for pid in pids.values()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
