"""The gRPC servers of a worker: several on each of its ports, with the limits of docs/operations.md."""

import asyncio
from collections.abc import Iterator

import grpc

from shared.sockets import bound, places

# A gRPC server takes up one call of a queue at a time, and needs five turns of the event loop for each, be it only to
# refuse it; while the loop is busy with answers, new calls wait. Several that share a port take up one each.
LISTENERS = 8
OPTIONS = {
    "grpc.max_receive_message_length": 256 * 1024,
    "grpc.max_metadata_size": 8192,
    "grpc.absolute_max_metadata_size": 16384,
    "grpc.server_handshake_timeout_ms": 5_000,
    "grpc.max_connection_idle_ms": 300_000,
    "grpc.max_connection_age_grace_ms": 10_000,
    "grpc.max_concurrent_streams": 100,
    # Or gRPC counts streams that are over but not yet put away, and resets a third of a burst (UNAVAILABLE).
    "grpc.http.overload_protection": 0,
    "grpc.http2.min_ping_interval_without_data_ms": 5_000,
    "grpc.so_reuseport": 1,
}
# Of all listeners together, each has its part of them.
SHARED = {
    "grpc.max_allowed_incoming_connections": 10_000,
    # Under overload calls wait in gRPC, where we do not see them, until Python takes them. Their number is how late the
    # answers are. From the first number on some are shed, from the second on all: silently, as CANCELLED, but without
    # any of Python's time. One connection alone has too few streams for that.
    "grpc.server.max_pending_requests": 960,
    "grpc.server.max_pending_requests_hard_limit": 1280,
}
MAX_CONCURRENT_RPCS = 4_000  # above it: RESOURCE_EXHAUSTED at once


class Listeners:
    """The kernel gives each new connection to one of them."""

    def __init__(self, connection_age: int = 60, count: int = LISTENERS) -> None:
        share = {name: limit // count for name, limit in SHARED.items()}
        options = {**OPTIONS, **share, "grpc.max_connection_age_ms": connection_age * 1000}
        self._servers = [
            grpc.aio.server(options=[*options.items()], maximum_concurrent_rpcs=MAX_CONCURRENT_RPCS // count)
            for _ in range(count)
        ]

    def __iter__(self) -> Iterator[grpc.aio.Server]:
        return iter(self._servers)

    def listen(self, address: str, *, shares_port: bool) -> int:
        """At `host:port`, whose port is returned, or `unix:path`; RuntimeError if it is taken.

        With `shares_port` others may listen there too, and get their share of the connections.
        """
        first, *others = self._servers
        if address.startswith("unix:"):  # a path is one server's
            return first.add_insecure_port(address)
        if not shares_port:
            refuse_if_taken(address)
        port = first.add_insecure_port(address)
        for other in others:
            other.add_insecure_port(f"{address.rpartition(':')[0]}:{port}")
        return port

    async def start(self) -> None:
        for server in self._servers:
            await server.start()

    async def stop(self, grace: float | None) -> None:
        await asyncio.gather(*[server.stop(grace) for server in self._servers])


def refuse_if_taken(address: str) -> None:
    """RuntimeError where anybody listens: servers that share a port would do so with a stranger, who gets its calls."""
    try:
        for family, place in places(address):
            bound(family, place, shares=False).close()
    except OSError as error:
        raise RuntimeError(f"cannot bind {address}: {error.strerror}") from None
