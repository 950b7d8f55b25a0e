"""An API behind the gateway that does nothing: every request is answered with the `x-user-id` that came with it.

`LISTEN_ADDRESS=127.0.0.1:9000 python -m benchmarks.plain_api`. HTTP/1.1 without bodies, as much of it as Envoy sends.
"""

import asyncio
import os
import re
from typing import cast

import uvloop

USER = re.compile(rb"\r\nx-user-id: *([^\r]*)", re.IGNORECASE)
END = b"\r\n\r\n"


class Api(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._read = cast(asyncio.Transport, transport), b""  # uvloop's own, which does not say so

    def data_received(self, data: bytes) -> None:
        *requests, self._read = (self._read + data).split(END)
        for request in requests:
            user = USER.search(request)
            body = b'{"user": "%s"}' % (user[1] if user else b"")
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d" % len(body)
            self._transport.write(head + END + body)


async def main(address: str) -> None:
    host, _, port = address.rpartition(":")
    server = await asyncio.get_running_loop().create_server(Api, host, int(port))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(os.environ["LISTEN_ADDRESS"]))
