"""Children that never outlive this process, and processes that a killed one left behind."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

PR_SET_PDEATHSIG = 1


def dies_with_parent(number: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends `number` to the child when the thread that forked it ends (Linux).

    Start children from the main thread, so that this is the end of the process.
    """
    parent = os.getpid()
    set_death_signal = death_signal()

    def before_exec() -> None:
        set_death_signal(number)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return before_exec


def stop_with_make() -> Callable[[], bool]:
    """Started by make, stop when make is gone; a make killed with -9 passes no signal on.

    Neither does it pass on a SIGINT that it got alone: it stops catching them, and waits for us. Whether it
    does is what the returned function says.
    """
    parent = os.getppid()
    if "MAKELEVEL" not in os.environ or program_name(parent) not in ("make", "gmake"):
        return lambda: False
    death_signal()(signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
    caught = _catches_interrupts(parent)
    return lambda: caught and not _catches_interrupts(parent)


def _catches_interrupts(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    signals = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(signals >> (signal.SIGINT - 1) & 1)


def death_signal() -> Callable[[signal.Signals], None]:
    """Sets what this process gets when its parent's thread ends; kept over exec."""
    if sys.platform != "linux":
        return lambda _: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return lambda number: prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def is_alive(pid: int) -> bool:
    """A zombie counts as gone: it holds no port and no file."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        if Path("/proc/self").exists():
            return False
    else:
        return state != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def program_name(pid: int) -> str:
    """As in the command line: threads may rename themselves, and node's does. Empty where it cannot be seen."""
    try:
        first, *_ = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return Path(first.split(":")[0]).name or Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def wait_until_gone(pids: Iterable[int], *, programs: tuple[str, ...], seconds: float) -> bool:
    """What a killed launcher left is still ending itself; another program with a reused pid is not waited for."""
    deadline = time.monotonic() + seconds
    for pid in pids:
        while is_alive(pid) and program_name(pid).startswith(programs):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    return True
