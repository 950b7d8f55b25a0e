"""shared/listeners.py: several servers on one port take calls side by side, and nobody else may listen there."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from shared.listeners import LISTENERS, Listeners
from tenantry.ports import free_port

NAMES = {n: f"listener {n}".encode() for n in range(LISTENERS)}


@pytest.fixture
async def listeners() -> AsyncIterator[Listeners]:
    """Each answers with a name of its own."""
    found = Listeners()

    def answering(name: bytes) -> Any:
        async def answer(_request: bytes, _context: object) -> bytes:
            return name

        return grpc.unary_unary_rpc_method_handler(answer)

    for name, listener in zip(NAMES.values(), found, strict=True):
        generic = grpc.method_handlers_generic_handler("test.v1.Names", {"Name": answering(name)})
        listener.add_generic_rpc_handlers((generic,))
    yield found
    await found.stop(0)


async def name_at(address: str) -> bytes:
    async with grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        ask: Any = channel.unary_unary("/test.v1.Names/Name")
        return bytes(await ask(b""))


async def test_connections_are_spread_over_all_of_them(listeners: Listeners) -> None:
    address = f"127.0.0.1:{listeners.listen('127.0.0.1:0', shares_port=False)}"
    await listeners.start()
    answered = {await name_at(address) for _ in range(20 * LISTENERS)}
    assert answered == set(NAMES.values())


async def test_two_addresses_are_served_and_none_after_the_end(listeners: Listeners, tmp_path: Path) -> None:
    shared, own = [f"127.0.0.1:{listeners.listen('127.0.0.1:0', shares_port=True)}" for _ in range(2)]
    path = f"unix:{tmp_path}/listener"
    listeners.listen(path, shares_port=False)
    await listeners.start()
    for address in (shared, own, path):
        assert await name_at(address) in NAMES.values()
    await listeners.stop(0)
    for address in (shared, own, path):
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await name_at(address)


@pytest.mark.parametrize("option", [socket.SO_REUSEADDR, socket.SO_REUSEPORT], ids=["plain", "would share it"])
async def test_a_port_at_which_somebody_listens_is_refused(listeners: Listeners, option: int) -> None:
    port = free_port()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, option, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(RuntimeError, match=f"cannot bind 127.0.0.1:{port}: Address already in use"):
            listeners.listen(f"127.0.0.1:{port}", shares_port=False)


async def test_a_name_that_nobody_knows_is_refused(listeners: Listeners) -> None:
    with pytest.raises(RuntimeError, match=r"cannot bind nobody\.invalid:5: "):
        listeners.listen("nobody.invalid:5", shares_port=False)


async def test_workers_of_one_group_listen_at_the_same_port(listeners: Listeners) -> None:
    address = f"127.0.0.1:{listeners.listen('127.0.0.1:0', shares_port=True)}"
    others = Listeners()
    assert others.listen(address, shares_port=True)
    await asyncio.gather(listeners.start(), others.start())
    await others.stop(0)
    assert await name_at(address) in NAMES.values()
