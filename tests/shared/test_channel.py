"""A channel between our services: reads are tried again, writes never."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from shared.channel import connect

SERVICE = "test.v1.Shop"


@dataclass
class Shop:
    """Refuses as often as it has codes to refuse with, then answers."""

    address: str = ""
    refusals: list[grpc.StatusCode] = field(default_factory=list)
    calls: int = 0

    async def answer(self, request: bytes, context: Any) -> bytes:
        self.calls += 1
        if self.refusals:
            await context.abort(self.refusals.pop())
        return request

    async def ask(self, rpc: str) -> grpc.StatusCode:
        async with connect(self.address, [f"{SERVICE}/Read"]) as channel:
            call: Any = channel.unary_unary(f"/{SERVICE}/{rpc}")
            try:
                await call(b"", timeout=5)
            except grpc.aio.AioRpcError as error:
                return error.code()
        return grpc.StatusCode.OK


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    found = Shop()
    handler: Any = grpc.unary_unary_rpc_method_handler(found.answer)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"Read": handler, "Write": handler}),)
    )
    found.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield found
    await server.stop(0)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
async def test_a_read_is_tried_five_times(shop: Shop, code: grpc.StatusCode) -> None:
    shop.refusals = [code] * 4
    assert (await shop.ask("Read"), shop.calls) == (grpc.StatusCode.OK, 5)
    shop.refusals = [code] * 5
    assert (await shop.ask("Read"), shop.calls) == (code, 10)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
async def test_a_write_is_never_tried_again(shop: Shop, code: grpc.StatusCode) -> None:
    shop.refusals = [code] * 3
    assert (await shop.ask("Write"), shop.calls) == (code, 1)


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED]
)
async def test_an_answer_is_an_answer(shop: Shop, code: grpc.StatusCode) -> None:
    shop.refusals = [code] * 3
    assert (await shop.ask("Read"), shop.calls) == (code, 1)
