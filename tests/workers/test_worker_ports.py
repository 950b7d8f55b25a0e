"""tenantry/worker_ports.py: a port that a group holds is its own, also while none of its workers listens."""

import socket
from collections.abc import Iterator

import pytest

from tenantry import ports
from tenantry.failures import Failure
from tenantry.worker_ports import hold, own_addresses


@pytest.fixture
def address() -> Iterator[str]:
    address = f"127.0.0.1:{ports.free_port()}"
    held = hold([address])
    yield address
    for each in held:
        each.close()


def listen(address: str, *options: int) -> socket.socket:
    host, port = address.split(":")
    server = socket.socket()
    for option in options:
        server.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        server.bind((host, int(port)))
        server.listen()
    except OSError:
        server.close()
        raise
    return server


def test_workers_listen_there_and_a_server_of_its_own_cannot(address: str) -> None:
    with pytest.raises(OSError, match="Address already in use"):
        listen(address, socket.SO_REUSEADDR)
    for _ in range(2):
        with listen(address, socket.SO_REUSEADDR, socket.SO_REUSEPORT), pytest.raises(OSError, match="in use"):
            listen(address, socket.SO_REUSEADDR)


def test_a_second_group_cannot_have_it(address: str) -> None:
    with pytest.raises(Failure, match=f"cannot listen on {address}: another Tenantry has it"):
        hold([address])


def test_connections_of_a_previous_run_do_not_count() -> None:
    address = f"127.0.0.1:{ports.free_port()}"
    host, port = address.split(":")
    with listen(address, socket.SO_REUSEADDR) as server, socket.create_connection((host, int(port))) as client:
        accepted, _ = server.accept()
        accepted.close()  # the first to close is the one that remembers the connection
        client.recv(1)
    for held in hold([address]):
        held.close()


def test_each_worker_has_a_port_of_its_own_so_many_steps_above() -> None:
    assert own_addresses("0.0.0.0:50051", 2, 100) == {1: "0.0.0.0:50151", 2: "0.0.0.0:50251"}
    assert own_addresses("[::1]:6000", 2, 1) == {1: "[::1]:6001", 2: "[::1]:6002"}
    with pytest.raises(Failure):
        own_addresses("unix:/run/identity.sock", 2, 1)
