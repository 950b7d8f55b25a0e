"""The floor: a bare grpc.aio server whose one RPC does nothing, with nothing around it, set up as our workers are.

`LISTEN_ADDRESS=127.0.0.1:50050 python -m benchmarks.noop_server WORKERS`; started as often as that, they share it.
"""

import asyncio
import os
import sys
from typing import Any

import grpc
import uvloop

from shared.server import MAX_CONCURRENT_RPCS, OPTIONS, calm_collector


async def nothing(_request: bytes, _context: object) -> bytes:
    return b"\x08\x01"


async def main(address: str, workers: int) -> None:
    handler: Any = grpc.unary_unary_rpc_method_handler(nothing)
    options = {**OPTIONS, "grpc.so_reuseport": int(workers > 1)}
    server = grpc.aio.server(options=list(options.items()), maximum_concurrent_rpcs=MAX_CONCURRENT_RPCS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("floor.v1.Floor", {"Nothing": handler}),))
    server.add_insecure_port(address)
    await server.start()
    calm_collector()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(os.environ["LISTEN_ADDRESS"], int(sys.argv[1])))
