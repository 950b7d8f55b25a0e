"""A group of workers as people start it: `tenantry serve --workers`, with what it logs."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from identity_service.settings import Settings as IdentitySettings
from tenantry import ports

SECONDS = 60.0
LOOK_EVERY = 0.01

# Ends with us, and takes interrupts, which whatever a background job starts would ignore. A program of its own and no
# preexec_fn: between fork and exec a process that had gRPC's threads can crash.
AS_IN_A_TERMINAL = """
import os, signal, sys
from tenantry.processes import death_signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
death_signal()(signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


@dataclass
class Group:
    """Its processes by worker, as the log of the supervisor tells of them."""

    process: "subprocess.Popen[bytes]"
    address: str
    own_addresses: Sequence[str]
    metrics_address: str
    log: Path

    def told(self, event: str = "") -> list[dict[str, Any]]:
        """The lines of the log; with `event` those of one kind."""
        lines = [line for line in self.log.read_text().splitlines(keepends=True) if line.startswith("{")]
        entries: list[dict[str, Any]] = [json.loads(line) for line in lines if line.endswith("\n")]
        return [entry for entry in entries if event in ("", entry["event"])]

    def until(self, event: str, times: int = 1, seconds: float = SECONDS) -> list[dict[str, Any]]:
        """Waits until the log has so many lines of this kind."""
        deadline = time.monotonic() + seconds
        while len(found := self.told(event)) < times:
            assert self.process.poll() is None or event in ("stopped", "worker ended"), self.log.read_text()
            assert time.monotonic() < deadline, f"no {event!r} in {seconds:.0f} s:\n{self.log.read_text()}"
            time.sleep(LOOK_EVERY)
        return found

    def pids(self) -> dict[int, int]:
        """Of the workers that took their places last."""
        return {entry["worker"]: entry["pid"] for entry in self.told("worker ready")}

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def launched(
    command: list[str],
    environment: Mapping[str, str],
    address: str = "",
    own_addresses: Sequence[str] = (),
    metrics_address: str = "",
) -> Iterator[Group]:
    """Ended with the block, or with this process."""
    with tempfile.TemporaryDirectory(prefix="tenantry-workers-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-B", "-c", AS_IN_A_TERMINAL, str(os.getpid()), *command],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        group = Group(process, address, own_addresses, metrics_address, log)
        try:
            yield group
        finally:
            if process.poll() is None:
                group.end()


@contextmanager
def serving(service: str, environment: Mapping[str, str], *, workers: int = 2, wait: bool = True) -> Iterator[Group]:
    """On free ports; unless `wait` is false, all workers serve when the block begins."""
    port = free_ports(workers + 1)
    address, metrics_address = f"127.0.0.1:{port}", f"127.0.0.1:{ports.free_port()}"
    with launched(
        [sys.executable, "-m", "tenantry", "serve", service, "--workers", str(workers)],
        {**environment, "LISTEN_ADDRESS": address, "WORKER_PORT_STEP": "1", "METRICS_ADDRESS": metrics_address},
        address,
        [f"127.0.0.1:{port + number}" for number in range(1, workers + 1)],
        metrics_address,
    ) as group:
        if wait:
            group.until("worker ready", workers)
        yield group


def free_ports(count: int) -> int:
    """The first of so many in a row that are free."""
    while True:
        first = ports.free_port()
        if all(ports.is_free(first + number) for number in range(count)):
            return first


def environment_of(settings: IdentitySettings) -> dict[str, str]:
    """For an identity with these settings, on the same database."""
    return {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "SESSION_SECRETS": ",".join(secret.get_secret_value() for secret in settings.session_secrets),
        "SERVICE_KEYS": ",".join(f"{name}:{key.hex()}" for name, key in settings.service_keys.items()),
        "MAIL_FOLDER": str(settings.mail_folder),
        "DATABASE_POOL_SIZE": "4",
    }
