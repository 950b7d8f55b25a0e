"""Deadlines and cancellation of calls, seen from both ends."""

import asyncio
import time
from collections.abc import AsyncIterator

import grpc
import pytest

from shared.reasons import Reason
from tests.calls import fails
from tests.shared.all_kinds import KINDS, ONE_ANSWER, Lines, Running, running_kinds, said


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    lines = Lines()
    monkeypatch.setattr("shared.call.log", lines)
    async with running_kinds(lines) as found:
        yield found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.call.DEFAULT_DEADLINE", 0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("timeout", [None, 1e9], ids=["no deadline", "an absurd one"])
@pytest.mark.parametrize("kind", ["UnaryUnary", "StreamUnary"])
async def test_a_call_without_a_sensible_deadline_gets_ours(running: Running, kind: str, timeout: float | None) -> None:
    async with fails(Reason.DEADLINE_EXCEEDED):
        await running.call(kind, said("wait"), timeout=timeout)
    assert (await running.lines.next())["reason"] == "DEADLINE_EXCEEDED"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["UnaryStream", "StreamStream", "UnaryWrites"])
async def test_a_stream_of_answers_may_last(running: Running, kind: str) -> None:
    """Followers of events hold one open for hours."""
    call = asyncio.ensure_future(running.call(kind, said("wait")))
    await running.kinds.waiting.wait()
    done, _ = await asyncio.wait({call}, timeout=0.2)
    assert not done
    running.kinds.let_go.set()
    assert set(await call) == {"wait 1"}


@pytest.mark.parametrize("kind", KINDS)
async def test_the_callers_deadline_ends_the_work(running: Running, kind: str) -> None:
    start = time.perf_counter()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.call(kind, said("wait"), timeout=0.1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.perf_counter() - start < 2.0
    line = await running.lines.next()
    assert line["code"] in ("CANCELLED", "DEADLINE_EXCEEDED"), "whichever end noticed first"
    assert line["milliseconds"] < 2000


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_its_caller_cancels_is_logged_as_cancelled(running: Running, kind: str) -> None:
    call = running.start(kind, said("wait"))
    await running.kinds.waiting.wait()
    call.cancel()
    line = await running.lines.next()
    assert (line["code"], line["reason"]) == ("CANCELLED", None)
    assert line["user_id"] is not None


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_cancelled_while_it_is_authenticated_is_logged_too(running: Running, kind: str) -> None:
    call = running.start(kind, said("a"), metadata=(("authorization", "Bearer slow"),), timeout=0.5)
    with pytest.raises(grpc.aio.AioRpcError):
        await (call if kind in ONE_ANSWER else call.read())
    line = await running.lines.next()
    assert (line["code"], line["user_id"]) == ("CANCELLED", None)
    assert running.kinds.heard == []


async def test_a_reader_who_leaves_between_two_answers_has_cancelled(running: Running) -> None:
    call = running.start("UnaryStream", said("endless"))
    assert await call.read() is not grpc.aio.EOF
    call.cancel()
    assert (await running.lines.next())["code"] == "CANCELLED"


async def test_after_many_cancelled_calls_the_server_still_answers(running: Running) -> None:
    calls = [running.start(KINDS[n % len(KINDS)], said("wait")) for n in range(50)]
    await running.kinds.waiting.wait()
    for call in calls:
        call.cancel()
    running.kinds.let_go.set()
    assert await running.call("UnaryUnary", said("hello"), timeout=5) == ["hello 1"]
