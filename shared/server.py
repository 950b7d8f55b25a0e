"""Build a server, serve until told to stop, drain."""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2_grpc import add_ServerReflectionServicer_to_server

from shared.guard import Guard
from shared.listeners import Listeners
from shared.log import log

LAST_LOOK = 1.0  # seconds that a stopping server waits for a look at the database to end
READINESS = 2.0  # seconds between two looks at the database, 0.05 until the first success

READY = "ready\n"  # what a worker writes to stdout, for its supervisor

STREAM_ENDS = 1.0  # seconds at most for a stopping server's streams to end, once there is nothing else to wait for
HANDLER_ENDS = 5.0  # seconds at most for cancelled handlers to give back what they hold

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Server:
    """The gRPC servers of a worker, with health per service name; `add` adds the handlers.

    `stopping` is set as it begins to stop, for streams that would last as long as their readers. Unless
    `shares_port`, a second server on the same port fails loudly instead of taking half the calls.
    """

    def __init__(
        self,
        guard: Guard,
        services: Sequence[str],
        add: Callable[[grpc.aio.Server], None],
        *,
        is_ready: Callable[[], Awaitable[bool]],
        reflect: bool,
        connection_age: int = 60,
        shares_port: bool = False,
        stopping: asyncio.Event | None = None,
    ) -> None:
        self._listeners, self._shares_port = Listeners(connection_age), shares_port
        self._guard = guard
        self._services = ["", *services]
        self._is_ready = is_ready
        self._health = health_aio.HealthServicer()
        self._watching: asyncio.Task[None] | None = None
        self._was_ready = asyncio.Event()
        self._stopping = stopping or asyncio.Event()
        served: Any = guard  # it takes handlers as a server does
        add(served)
        add_HealthServicer_to_server(self._health, served)
        if reflect:
            names = [*services, "grpc.health.v1.Health", reflection.SERVICE_NAME]
            add_reflection: Any = add_ServerReflectionServicer_to_server  # has no types
            add_reflection(reflection.aio.ReflectionServicer(names), served)
        for listener in self._listeners:
            guard.join(listener, own_queues=guard.admission.first | {"grpc.health.v1.Health/Check"})

    async def start(self, *addresses: str) -> int:
        """Listen on each `host:port` and return the first's port; RuntimeError if one is taken."""
        first, *_ = [self._listeners.listen(address, shares_port=self._shares_port) for address in addresses]
        if self._watching is None:
            await self._set(NOT_SERVING)
            self._watching = asyncio.create_task(self._watch_readiness())
        await self._listeners.start()
        return first

    async def until_ready(self) -> None:
        """Before `start`, for whoever is not to take calls sooner."""
        self._watching = asyncio.create_task(self._watch_readiness())
        await self._was_ready.wait()

    async def stop(self, grace: float) -> None:
        """Health first, so that balancers turn away; then calls under way have `grace` seconds to finish.

        Streams end by themselves, but for those that nobody reads: they would take all of that time.
        """
        self._stopping.set()
        await self._set(NOT_SERVING)
        if self._watching:
            # A look that is cancelled while it connects leaves its connection to the garbage collector.
            await asyncio.wait({self._watching}, timeout=LAST_LOOK)
            self._watching.cancel()
        ends, end = asyncio.create_task(self._listeners.stop(grace)), time.monotonic() + grace
        await self._guard.calls_over(grace, but_streams=True)
        _, left = await asyncio.wait({ends}, timeout=STREAM_ENDS)
        # Not 0, and not when the grace is over anyway: gRPC would let go of itself in one and go on in the other.
        if left and end - time.monotonic() > STREAM_ENDS:
            await self._listeners.stop(None)
        await ends
        await self._guard.calls_over(HANDLER_ENDS)

    async def _watch_readiness(self) -> None:
        was_ready = False
        # Cancelling is not enough: wait_for() of Python 3.11, which psycopg uses, can swallow it.
        while not self._stopping.is_set():
            ready = await self._looks_ready()
            if ready != was_ready and not self._stopping.is_set():
                await self._set(SERVING if ready else NOT_SERVING)
                log.info("ready" if ready else "not ready")
                was_ready = ready
                self._was_ready.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(READINESS if ready else 0.05):
                    await self._stopping.wait()

    async def _looks_ready(self) -> bool:
        try:
            return await self._is_ready()
        except Exception as error:  # or nobody would look ever again, and health stay as it is
            log.error("whether it is ready cannot be told", exc_info=error)
            return False

    async def _set(self, status: int) -> None:
        for name in self._services:
            await self._health.set(name, status)


async def serve(server: Server, address: str, grace: float, *, own_address: str = "") -> None:
    """Run until SIGTERM or SIGINT, then drain; exits with status 1 where it cannot listen.

    A worker has an address of its own besides the one that it shares with others. It listens once it is ready, so
    that none of the calls that another could answer comes to it sooner, and tells its supervisor.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if own_address and not await _ready_before(stop, server):
        return
    addresses = [address, own_address] if own_address else [address]
    try:
        await server.start(*addresses)
    except RuntimeError:
        sys.exit(f"LISTEN_ADDRESS: cannot listen on {' and '.join(addresses)}: is it used by another program?")
    calm_collector()
    log.info("listening", address=", ".join(addresses))
    if own_address:
        sys.stdout.write(READY)
        sys.stdout.flush()
    await stop.wait()
    log.info("draining", seconds=grace)
    await server.stop(grace)


def calm_collector() -> None:
    """For a process that has loaded all it needs. What is there now stays: the collector need not look at it again.

    gRPC leaves five objects in a cycle with each call. Fewer of them at a time cost as much altogether, but make calls
    wait for 1 ms each time and not for 40.
    """
    gc.freeze()
    gc.set_threshold(5_000, 20, 100)


async def _ready_before(stop: asyncio.Event, server: Server) -> bool:
    stopped, ready = asyncio.create_task(stop.wait()), asyncio.create_task(server.until_ready())
    await asyncio.wait({stopped, ready}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        ready.cancel()
        await server.stop(0)
    return not stop.is_set()
