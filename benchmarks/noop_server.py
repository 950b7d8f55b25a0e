"""The floor: a bare grpc.aio server whose one RPC does nothing, without interceptors, on uvloop."""

import asyncio
import sys
from typing import Any

import grpc
import uvloop

from shared.handover import start_grpc
from shared.server import OPTIONS


async def nothing(_request: bytes, _context: object) -> bytes:
    return b"\x08\x01"


async def main(address: str) -> None:
    start_grpc()
    handler: Any = grpc.unary_unary_rpc_method_handler(nothing)
    server = grpc.aio.server(options=list(OPTIONS.items()))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("floor.v1.Floor", {"Nothing": handler}),))
    server.add_insecure_port(address)
    await server.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
