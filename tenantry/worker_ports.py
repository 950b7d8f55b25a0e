"""The ports of a group of workers: which they are, and that nobody else has them while the group runs.

Sockets with SO_REUSEPORT share a port silently, strangers of the same user too. So a group looks first, without it,
whether the port is free, and then holds it with a socket of its own that never listens: whoever binds without
SO_REUSEPORT is refused from then on, also while no worker listens.
"""

import socket
import sys
from collections.abc import Iterable

from shared.sockets import bound, places
from tenantry import ports
from tenantry.failures import NOT_REACHED, WRONG_USE, Failure


def own_address(shared: str, worker: int, step: int) -> str:
    """Of the worker with this number, from 1 on: its port is so many steps above that of all."""
    host, _, port = shared.rpartition(":")
    return f"{host}:{int(port) + worker * step}"


def own_addresses(shared: str, workers: int, step: int) -> dict[int, str]:
    """By the workers' numbers; Failure where there are no such ports."""
    port = shared.rpartition(":")[2]
    if shared.startswith("unix:") or not 0 < int(port) < 65_536:
        raise Failure("workers need a host and a port in LISTEN_ADDRESS", WRONG_USE, f"it is {shared}")
    if int(port) + workers * step > 65_535:
        hint = f"LISTEN_ADDRESS={shared} + {workers} x WORKER_PORT_STEP={step} is more than 65535"
        raise Failure("there are not enough ports for these workers", WRONG_USE, hint)
    return {number: own_address(shared, number, step) for number in range(1, workers + 1)}


def hold(addresses: Iterable[str]) -> list[socket.socket]:
    """Keep what is returned for as long as workers run; Failure names the first port that somebody has."""
    return [held for address in addresses for held in _hold(address)]


def _hold(address: str) -> list[socket.socket]:
    try:
        held = [_lock(address)]
    except OSError:
        raise Failure(f"cannot listen on {address}: another Tenantry has it", NOT_REACHED) from None
    try:
        for family, place in places(address):
            bound(family, place, shares=False).close()
            held.append(bound(family, place, shares=True))
            # Or whoever sets it too could bind beside us, as long as nobody listens.
            held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError as error:
        owner = ports.owner(int(address.rpartition(":")[2]))
        whose = f" by another program (pid {owner[0]}, {owner[1]})" if owner else ""
        raise Failure(f"cannot listen on {address}: {error.strerror}{whose}", NOT_REACHED) from None
    return held


def _lock(address: str) -> socket.socket:
    """Of two groups that begin in the same moment one is the first to have the name; Linux forgets it with us."""
    lock = socket.socket(socket.AF_UNIX)
    if sys.platform == "linux":
        try:
            lock.bind(f"\0tenantry {address}")
        except OSError:
            lock.close()
            raise
    return lock
