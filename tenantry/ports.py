"""Ports of this machine: free or taken, and by whom."""

import socket
from pathlib import Path
from secrets import SystemRandom

from tenantry.processes import program_name

LISTENING = "0A"


def free_port() -> int:
    """Below those that systems give to outgoing connections: one of these could take it before we listen."""
    choices = (SystemRandom().randrange(20_000, 32_768) for _ in range(1000))
    return next(port for port in choices if is_free(port))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: connections of a previous run that are not quite over do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def nearest_free(port: int) -> int:
    """For a hint: the next one in steps of ten that is free."""
    return next((other for other in range(port + 10, 65_536, 10) if is_free(other)), free_port())


def owner(port: int) -> tuple[int, str] | None:
    """Pid and program of who listens; None where the system does not show it to us."""
    sockets = _listening_sockets(port)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = {str(file.readlink()) for file in (process / "fd").iterdir()}
        except OSError:
            continue
        if files & sockets:
            return int(process.name), program_name(int(process.name))
    return None


def _listening_sockets(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            if columns[3] == LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{columns[9]}]")
    return found
