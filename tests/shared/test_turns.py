"""shared/turns.py: slow calls go on one at a time, the oldest first, and leave the event loop to others in between."""

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Literal

import pytest

from shared.turns import LONGEST, PER_PAUSE, Turns
from tests.shared.all_kinds import SERVICE, Lines, running_kinds, said
from tests.waiting import until

Steps = list[tuple[int, str]]  # in which turn of the loop, and whose


class Clock:
    """Counts the turns of the loop."""

    now = 0


@pytest.fixture
async def clock() -> AsyncIterator[Clock]:
    clock = Clock()

    async def tick() -> None:
        while True:
            clock.now += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    yield clock
    ticking.cancel()


async def several(clock: Clock, name: str, steps: Steps, count: int = 3) -> str:
    for _ in range(count):
        steps.append((clock.now, name))
        await asyncio.sleep(0)
    return name


async def test_no_two_steps_are_in_one_turn_of_the_loop(clock: Clock) -> None:
    turns, steps = Turns(), Steps()
    names = [*"abcdef"]
    assert await asyncio.gather(*[turns.taken_by(several(clock, name, steps)) for name in names]) == names
    at = [turn for turn, _ in steps]
    assert len(at) == 3 * len(names)
    assert all(later - earlier >= 2 for earlier, later in pairwise(at))


async def test_the_oldest_goes_on_first(clock: Clock) -> None:
    turns, steps, ready = Turns(), Steps(), asyncio.Event()

    async def waits_first(name: str) -> str:
        await ready.wait()
        return await several(clock, name, steps, 1)

    calls = [asyncio.create_task(turns.taken_by(waits_first(name))) for name in "ab"]
    calls += [asyncio.create_task(turns.taken_by(several(clock, name, steps, 20))) for name in "cd"]
    await until(lambda: len(steps) == 10)
    ready.set()
    begun = len(steps)
    await asyncio.gather(*calls)
    assert "".join(name for _, name in steps[begun:]).lstrip("c").startswith("abc")  # after one that went on already


async def test_the_more_wait_the_more_turns_are_left_to_others(clock: Clock) -> None:
    async def pause_of(calls: int) -> int:
        turns, at = Turns(), list[int]()

        async def look() -> None:
            at.append(clock.now)

        await asyncio.gather(*[turns.taken_by(look()) for _ in range(calls)])
        return at[1] - at[0]

    few, more, many = [await pause_of(calls) for calls in (2, 4 * PER_PAUSE, 40 * PER_PAUSE)]
    assert few < more < many
    assert many <= LONGEST + 1


async def test_what_is_awaited_is_given_or_raised_where_it_was_awaited() -> None:
    turns, loop = Turns(), asyncio.get_running_loop()
    given, failed = loop.create_future(), loop.create_future()

    async def work() -> list[object]:
        found: list[object] = [await given]
        try:
            await failed
        except ValueError as error:
            found.append(str(error))
        async with asyncio.timeout(0.01):
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.001)
            found.append("in time")
        return found

    working = asyncio.create_task(turns.taken_by(work()))
    await asyncio.sleep(0.01)
    given.set_result(1)
    failed.set_exception(ValueError("no"))
    assert await working == [1, "no", "in time"]


async def test_what_the_work_raises_is_raised() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("that")

    with pytest.raises(LookupError, match="that"):
        await Turns().taken_by(fails())


async def test_a_limit_of_time_counts_the_waiting_too(clock: Clock) -> None:
    turns, begun = Turns(), list[str]()
    older = asyncio.create_task(turns.taken_by(several(clock, "older", [], 1_000_000)))

    async def younger() -> None:
        begun.append("younger")

    await asyncio.sleep(0.01)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await turns.taken_by(younger())
    assert not begun
    older.cancel()


@pytest.mark.parametrize("moment", range(4))  # awaiting something, or its turn
async def test_one_that_is_cancelled_cleans_up_and_holds_up_nobody(clock: Clock, moment: int) -> None:
    turns, steps, ready, cleaned = Turns(), Steps(), asyncio.Event(), list[str]()

    async def older(name: str) -> str:
        await ready.wait()
        return await several(clock, name, steps, 5)

    @asynccontextmanager
    async def held() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(0)  # which needs a turn while the one that was given up still stands in the queue
            cleaned.append("given back")

    async def work() -> None:
        async with held():
            await several(clock, "cancelled", steps, 1000)

    others = [asyncio.create_task(turns.taken_by(older(name))) for name in "ab"]
    cancelled = asyncio.create_task(turns.taken_by(work()))
    await until(lambda: len(steps) == 3)
    ready.set()
    for _ in range(moment):
        await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert cleaned == ["given back"]
    assert await asyncio.gather(*others) == ["a", "b"]
    assert await turns.taken_by(several(clock, "later", steps)) == "later"


async def test_work_that_nobody_lets_go_on_is_closed() -> None:
    closed = list[str]()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            closed.append("closed")

    async def turning() -> None:
        await Turns().taken_by(work())

    running = turning()
    running.send(None).set_result(None)
    running.send(None)
    running.close()
    assert closed == ["closed"]


@pytest.mark.parametrize("awaited", [False, True])
async def test_no_error_is_kept(awaited: bool) -> None:
    class Kept(Exception):  # noqa: N818
        pass

    async def fails() -> None:
        await asyncio.sleep(0)
        raise Kept

    async def work() -> None:
        await (asyncio.create_task(fails()) if awaited else fails())

    async def kept() -> "weakref.ref[Kept]":
        try:
            await Turns().taken_by(work())
        except Kept as error:
            return weakref.ref(error)
        pytest.fail("no error")

    gc.disable()
    try:
        assert (await kept())() is None
    finally:
        gc.enable()


class LetGo(asyncio.Event):
    """Notes in which turn of the loop each goes on."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock, self.turns = clock, list[int]()

    async def wait(self) -> Literal[True]:
        await super().wait()
        self.turns.append(self._clock.now)
        return True


@pytest.mark.parametrize(("hot", "at_once"), [(frozenset[str](), 1), (frozenset({f"{SERVICE}/UnaryUnary"}), 10)])
async def test_calls_of_a_server_take_turns_unless_they_are_hot(
    clock: Clock, hot: frozenset[str], at_once: int
) -> None:
    async with running_kinds(Lines(), hot) as running:
        running.kinds.let_go = let_go = LetGo(clock)
        calls = [running.start("UnaryUnary", said("wait")) for _ in range(10)]
        await until(lambda: len(running.kinds.heard) == 10)
        let_go.set()
        await asyncio.gather(*calls)
        assert max(Counter(let_go.turns).values()) == at_once
