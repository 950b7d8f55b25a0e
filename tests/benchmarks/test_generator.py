"""The load generator of the benchmarks, against a real server: what it sends, counts, and refuses."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from benchmarks import load

METHOD = "/test.v1.Test/Answer"
Handler = Callable[[bytes, Any], Awaitable[bytes]]


@asynccontextmanager
async def serving(handler: Handler, **options: int) -> AsyncIterator[str]:
    server = grpc.aio.server(options=[(f"grpc.{name}", value) for name, value in options.items()])
    method: Any = grpc.unary_unary_rpc_method_handler(handler)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.v1.Test", {"Answer": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def run(address: str, requests: list[tuple[bytes, bytes | None]], **settings: object) -> dict[str, Any]:
    plan = {
        "address": address,
        "method": METHOD,
        "requests": [
            {"body": text(body), "headers": {"who": "x" * 300}, "answer": None if answer is None else text(answer)}
            for body, answer in requests
        ],
        "in_flight": 8,
        "seconds": 20,
        "warm": 0,
        **settings,
    }
    result, _, _ = await asyncio.to_thread(load.run, plan, lambda: None)
    return result


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Echo:
    """Answers what it was sent, and remembers it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def answer(self, body: bytes, context: Any) -> bytes:
        assert dict(context.invocation_metadata())["who"] == "x" * 300
        self.bodies.append(body)
        return body


async def test_it_sends_the_requests_in_turn_and_counts_the_answers() -> None:
    echo = Echo()
    async with serving(echo.answer) as address:
        found = await run(address, [(b"%d" % n, b"%d" % n) for n in range(10)], calls=500)
    assert (found["calls"], found["right"], found["statuses"]) == (500, 500, {"0": 500})
    assert sorted(echo.bodies) == sorted(b"%d" % n for n in range(10) for _ in range(50))
    assert 0 < found["p50"] <= found["p95"] <= found["p99"] < found["seconds"]


async def test_one_wrong_answer_fails_the_run_and_is_shown() -> None:
    requests: list[tuple[bytes, bytes | None]] = [(b"%d" % n, b"%d" % n) for n in range(100)]
    requests[50] = (b"asked", b"expected")
    async with serving(Echo().answer) as address:
        with pytest.raises(load.LoadFailed, match=r"status wrong, answer .*asked"):
            await run(address, requests, calls=100)


async def test_an_answer_that_goes_on_after_the_right_one_is_wrong() -> None:
    async with serving(Echo().answer) as address:
        with pytest.raises(load.LoadFailed, match="status wrong"):
            await run(address, [(b"right and more", b"right")], calls=1)
        found = await run(address, [(b"all right and more", b"right")], calls=1, holds=True)
    assert found["right"] == 1


async def refuse(_body: bytes, context: Any) -> bytes:
    await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many")
    raise AssertionError


async def test_a_failed_call_fails_the_run_unless_it_is_tolerated() -> None:
    async with serving(refuse) as address:
        with pytest.raises(load.LoadFailed, match="status 8"):
            await run(address, [(b"", None)], calls=1)
        found = await run(address, [(b"", None)], calls=20, tolerated=[8])
    assert (found["right"], found["statuses"]) == (0, {"8": 20})


async def test_messages_larger_than_frames_and_windows_wait_for_room() -> None:
    body = bytes(range(256)) * 200
    small_windows = {"http2.bdp_probe": 0, "http2.lookahead_bytes": 65_535}
    async with serving(Echo().answer, **small_windows) as address:
        found = await run(address, [(body, body)], calls=64, in_flight=32, connections=1)
    assert found["right"] == 64


async def test_a_server_that_ends_connections_by_age_loses_no_call() -> None:
    echo = Echo()
    async with serving(echo.answer, max_connection_age_ms=100, max_connection_age_grace_ms=5_000) as address:
        found = await run(address, [(b"here", b"here")], seconds=0.6)
    assert found["statuses"] == {"0": len(echo.bodies)}


async def test_at_a_rate_calls_begin_whatever_becomes_of_those_before() -> None:
    waiting, everybody = asyncio.Event(), []

    async def slow(body: bytes, _context: Any) -> bytes:
        everybody.append(body)
        if len(everybody) == 40:
            waiting.set()
        await waiting.wait()
        return body

    async with serving(slow) as address:
        found = await run(address, [(b"here", b"here")], calls=40, rate=2000.0, timeline=True)
    assert found["right"] == 40
    assert sum(second["right"] for second in found["timeline"]) == 40


async def test_a_number_in_the_body_is_another_one_in_each_call() -> None:
    echo = Echo()
    async with serving(echo.answer) as address:
        found = await run(address, [(b"made-{number}", None)], calls=30, number=5)
    assert sorted(echo.bodies) == [b"made-%08d" % n for n in range(5, 35)]
    assert found["next_number"] == 35
