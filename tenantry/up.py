"""`tenantry up`: PostgreSQL, migrations, both services and, if asked for, the gateway, until Ctrl-C."""

import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click
from filelock import FileLock, Timeout

from tenantry import banner, pair, ports, run_state
from tenantry.embedded_postgres import PostgresError
from tenantry.failures import NOT_REACHED, WRONG_USE, Failure
from tenantry.pair import Pair, StoppedError
from tenantry.processes import stop_with_make, wait_until_gone
from tenantry.project import data_folder, make_data_folder
from tenantry.run_state import RunState

LOCK_SECONDS = 60.0
LOOK_EVERY = 0.2
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LEFT_BEHIND = ("postgres", "python", "envoy")  # what a killed launcher's children are called


def up(chosen: dict[str, int], began: float) -> None:
    """`chosen` are the ports; the gateway is started if it has one. `began` is by time.monotonic()."""
    make_stopped = stop_with_make()
    for number in ENDINGS:
        signal.signal(number, end)
    folder = data_folder()
    make_data_folder(folder)
    lock = FileLock(folder / "lock")
    try:
        other = acquire(lock, folder)
        if other:
            say([already_running(other), *banner.ready_lines(other), *banner.next_lines(other)])
            return
        run(folder, chosen, began, make_stopped)
    except KeyboardInterrupt:
        click.echo("Stopped.")
    finally:
        lock.release()


def acquire(lock: FileLock, folder: Path) -> RunState | None:
    """Holds the lock, or says what runs; another start under way is waited for."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            lock.acquire(timeout=0)
            return None
        except Timeout:
            state = run_state.running(folder)
            if state:
                return state
        if time.monotonic() > deadline:
            raise Failure(f"another start in {folder} does not get ready")
        time.sleep(LOOK_EVERY)


def end(_number: int, _frame: object) -> None:
    """Only the first signal counts: the end is under way, and takes a few seconds at most."""
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def run(folder: Path, chosen: dict[str, int], began: float, make_stopped: Callable[[], bool]) -> None:
    clean_up_after_a_killed_one(folder)
    refuse_taken_ports(chosen)
    listening = {service: port or ports.free_port() for service, port in chosen.items()}
    try:
        started = pair.start(folder, listening, note=click.echo)
    except (PostgresError, StoppedError) as failed:
        raise Failure(str(failed)) from None
    try:
        state = started.state()
        banner.write_shell_file(folder, state)
        run_state.write(folder, state)
        say(banner.ready_lines(state))
        if started.postgres.folder.parent != folder:
            click.echo(
                f"           PostgreSQL's files: {started.postgres.folder} (its user cannot enter the folder above)"
            )
        click.echo(f"Ready after {time.monotonic() - began:.1f} s. In another terminal:")
        say(banner.next_lines(state))
        supervise(started, make_stopped)
    finally:
        run_state.path(folder).unlink(missing_ok=True)
        started.stop()


def supervise(started: Pair, make_stopped: Callable[[], bool]) -> None:
    try:
        while not make_stopped():
            started.check()
            time.sleep(LOOK_EVERY)
    except StoppedError as failed:
        raise Failure(f"{failed}\nEverything else was stopped too.") from None
    end(signal.SIGINT, None)


def refuse_taken_ports(chosen: dict[str, int]) -> None:
    fixed = [port for port in chosen.values() if port]
    if len(set(fixed)) < len(fixed):
        raise Failure(f"{' and '.join(chosen)} cannot share one port", WRONG_USE, "try: TENANCY_PORT=50062 make run")
    for service, port in chosen.items():
        if port and not ports.is_free(port):
            owner = ports.owner(port)
            whose = f" (pid {owner[0]}, {owner[1]})" if owner else ""
            variable = f"{service.upper()}_PORT={ports.nearest_free(port)}"
            raise Failure(f"port {port} is used by another program{whose}", NOT_REACHED, f"try: {variable} make run")


def clean_up_after_a_killed_one(folder: Path) -> None:
    """Its children end by themselves, but may still hold the ports."""
    state = run_state.read(folder)
    if state:
        children = [pid for name, pid in state["pids"].items() if name != "tenantry"]
        wait_until_gone(children, programs=LEFT_BEHIND, seconds=15)
        run_state.path(folder).unlink(missing_ok=True)


def already_running(state: RunState) -> str:
    since = datetime.fromisoformat(state["started"])
    return f"already running since {since:%H:%M} (pid {state['pids']['tenantry']})"


def say(lines: list[str]) -> None:
    click.echo("\n".join(lines))
