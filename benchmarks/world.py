"""What is measured: both services as processes, with batching and without, and a floor beside them."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import psycopg

from benchmarks import fixtures
from benchmarks.crowd import Size
from identity_service import tokens
from protos.identity.v1.events_pb2 import StreamEventsRequest
from protos.identity.v1.events_pb2_grpc import EventServiceStub
from shared.listeners import LISTENERS
from tenantry.ports import free_port
from tenantry.testing.pair import OPERATOR_KEY, TENANCY_KEY, digest

SECRET = secrets.token_urlsafe(48)
TICK = os.sysconf("SC_CLK_TCK")
AS_OPERATOR = {"x-service-key": OPERATOR_KEY}
# Limits, not costs: beside everything else on one machine a call may take longer, and the load stays connected.
WIDER = {"CONNECTION_AGE_SECONDS": "86400", "IDENTITY_TIMEOUT_SECONDS": "2", "TRUSTED_PROXIES": "127.0.0.0/8"}
FLOORS = {"floor": LISTENERS, "bare": 1}  # how many listeners each has
PAIRS = {"": {}, "naive ": {"BATCHING": "off"}}


@dataclass
class World:
    """Addresses and processes by name: floor, bare, identity, tenancy, and "naive" ones; and of the fixture."""

    size: Size
    addresses: dict[str, str]
    processes: dict[str, list[int]]

    def cpu(self) -> dict[str, float]:
        """Seconds of processor time so far, of each with all its children, also of those that have ended."""
        return {name: sum(_cpu(pid) for root in roots for pid in family(root))
                for name, roots in self.processes.items()}  # fmt: skip

    def memory(self) -> dict[str, int]:
        """Bytes in RAM of the largest process of each."""
        return {name: max(_memory(pid) for root in roots for pid in family(root))
                for name, roots in self.processes.items()}  # fmt: skip

    def token(self, sid: str) -> str:
        return tokens.sign(sid, SECRET.encode())


@contextmanager
def world(size: Size, *, workers: int = 1, naive: bool = True) -> Iterator[World]:
    """Settings as they come but for WIDER, which has no cost, and BATCHING of the naive ones."""
    with ExitStack() as stack:
        postgres = stack.enter_context(fixtures.running(size))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tenantry-bench-")))
        running: list[subprocess.Popen[bytes]] = []
        stack.callback(stop, running)
        found = World(size, {}, {"postgres": [postgres.process.pid]})

        def run(name: str, command: list[str], environment: dict[str, str], count: int = 1) -> None:
            started = [start(command, environment, log=folder / f"{name}.log") for _ in range(count)]
            running.extend(started)
            found.processes[name] = [process.pid for process in started]
            wait_for(environment["LISTEN_ADDRESS"], started[0])

        for name, listeners in FLOORS.items():
            if name != "floor" and not naive:
                continue
            found.addresses[name] = f"127.0.0.1:{free_port()}"
            command = ["benchmarks.noop_server", str(workers), str(listeners)]
            run(name, command, {"LISTEN_ADDRESS": found.addresses[name]}, workers)
        for prefix, settings in PAIRS.items():
            if prefix and not naive:
                continue
            own = {name: f"127.0.0.1:{free_port()}" for name in ("identity", "tenancy")}
            common = {**WIDER, **settings, "MAIL_FOLDER": str(folder)}
            run(
                f"{prefix}identity",
                service("identity", workers),
                {
                    **common,
                    "LISTEN_ADDRESS": own["identity"],
                    "DATABASE_URL": fixtures.url(postgres, "identity"),
                    "SESSION_SECRETS": SECRET,
                    "SERVICE_KEYS": f"tenancy:{digest(TENANCY_KEY).hex()},operator:{digest(OPERATOR_KEY).hex()}",
                },
            )
            if not prefix:
                follow_from_now(own["identity"], fixtures.url(postgres, "tenancy"))
            run(
                f"{prefix}tenancy",
                service("tenancy", workers),
                {
                    **common,
                    "LISTEN_ADDRESS": own["tenancy"],
                    "DATABASE_URL": fixtures.url(postgres, "tenancy"),
                    "IDENTITY_ADDRESS": own["identity"],
                    "IDENTITY_SERVICE_KEY": TENANCY_KEY,
                    "SERVICE_KEYS": f"operator:{digest(OPERATOR_KEY).hex()}",
                },
            )
            found.addresses.update({f"{prefix}{name}": each for name, each in own.items()})
        yield found


def service(name: str, workers: int) -> list[str]:
    return [f"{name}_service"] if workers == 1 else ["tenantry", "serve", name, "--workers", str(workers)]


def follow_from_now(identity: str, tenancy_database: str) -> None:
    """As after a long time together: tenancy knows everybody, and waits for the next event."""
    with grpc.insecure_channel(identity) as channel:
        stub: Any = EventServiceStub(channel)  # type: ignore[arg-type]  # it is typed for grpc.aio alone
        cursor = next(stub.StreamEvents(StreamEventsRequest(), metadata=tuple(AS_OPERATOR.items()))).cursor
    with psycopg.connect(tenancy_database) as connection:
        connection.execute("UPDATE identity_cursor SET cursor = %s", [cursor])


def start(module: Sequence[str], environment: dict[str, str], *, log: Path | None = None) -> "subprocess.Popen[bytes]":
    """With a log all that it writes goes there; without one only warnings are shown."""
    command = [sys.executable, "-m", *module]
    if log is None:
        return subprocess.Popen(command, env={**os.environ, **environment, "LOG_LEVEL": "WARNING"})
    with log.open("ab") as lines:  # and of our environment nothing: settings as they come
        return subprocess.Popen(command, env={"PATH": os.environ["PATH"], **environment}, stdout=lines, stderr=lines)


def stop(processes: "list[subprocess.Popen[bytes]]") -> None:
    """All at once: none has to wait for the streams of another."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()


def wait_for(address: str, process: "subprocess.Popen[bytes] | None" = None) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens on {address}")


def family(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = children.read_text().split()
        except OSError:  # that thread has ended
            continue
        found += [each for child in below for each in family(int(child))]
    return found


def loop_cpu(pid: int) -> float:
    """Seconds of its main thread, which runs the event loop."""
    fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _cpu(pid: int) -> float:
    """Its own, of all threads, and that of children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICK


def _memory(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
