"""A load generator in a process of its own: pre-encoded requests, a fixed number of them in flight.

Reads a plan as JSON on stdin and writes what it measured as JSON on stdout. An answer that does not begin
as the right one does is an error, and an error fails the run.
"""

import asyncio
import base64
import itertools
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import grpc
import uvloop

CHANNELS = 4


async def main(plan: dict[str, object]) -> dict[str, object]:
    method, expected = str(plan["method"]), base64.b64decode(str(plan["expected"]))
    requests = itertools.cycle([(base64.b64decode(body), token) for body, token in plan["requests"]])  # type: ignore[attr-defined]
    seconds, in_flight = float(str(plan["seconds"])), int(str(plan["in_flight"]))
    # Connections of their own: grpc shares one between channels with equal options.
    channels = [grpc.aio.insecure_channel(str(plan["address"]), options=[("bench", n)]) for n in range(CHANNELS)]
    latencies: list[float] = []
    end = 0.0

    async def caller(channel: grpc.aio.Channel, work: Iterator[tuple[bytes, str]]) -> None:
        call: Callable[..., Awaitable[bytes]] = channel.unary_unary(method)
        while time.perf_counter() < end:
            body, token = next(work)
            start = time.perf_counter()
            answer = await call(body, metadata=(("authorization", f"Bearer {token}"),))
            latencies.append(time.perf_counter() - start)
            if not answer.startswith(expected):
                raise RuntimeError(f"a wrong answer: {answer!r}")

    for period in (min(1.0, seconds), seconds):  # the first warms up
        latencies.clear()
        start, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        end = start + period
        await asyncio.gather(*[caller(channels[n % CHANNELS], requests) for n in range(in_flight)])
        if period == seconds:
            break
        print("warm", flush=True)
        sys.stdin.readline()
    took = time.perf_counter() - start
    spent = resource.getrusage(resource.RUSAGE_SELF)
    latencies.sort()
    return {
        "calls": len(latencies),
        "seconds": took,
        "cpu": spent.ru_utime + spent.ru_stime - cpu.ru_utime - cpu.ru_stime,
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[int(len(latencies) * 0.99)],
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(main(json.loads(sys.stdin.readline())))), flush=True)
