"""The floor: bare grpc.aio servers whose one RPC does nothing, with nothing around it, set up as our workers are.

`LISTEN_ADDRESS=127.0.0.1:50050 python -m benchmarks.noop_server WORKERS LISTENERS`: started as often as there are
WORKERS, they share it. With one listener it is a server as gRPC's own examples have it.
"""

import asyncio
import os
import sys
from typing import Any

import grpc
import uvloop

from shared.listeners import Listeners
from shared.server import calm_collector


async def nothing(_request: bytes, _context: object) -> bytes:
    return b"\x08\x01"


async def main(address: str, workers: int, count: int) -> None:
    handler: Any = grpc.unary_unary_rpc_method_handler(nothing)
    nothings = grpc.method_handlers_generic_handler("floor.v1.Floor", {"Nothing": handler})
    listeners = Listeners(count=count)
    for listener in listeners:
        listener.add_generic_rpc_handlers((nothings,))
    listeners.listen(address, shares_port=workers > 1)
    await listeners.start()
    calm_collector()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(os.environ["LISTEN_ADDRESS"], int(sys.argv[1]), int(sys.argv[2])))
