"""The batcher: who travels together, who waits, and who is refused."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.batcher import Batcher
from shared.errors import ServiceError
from shared.reasons import Reason

SOON = 5.0  # seconds; nothing here takes a tenth of it unless it hangs
Replies = list[str | ServiceError]


class Trips:
    """Answers in capitals; each trip is noted, and returns when its gate opens."""

    def __init__(self) -> None:
        self.left: list[list[str]] = []
        self.gates: list[asyncio.Event] = []
        self.open = False
        self._news = asyncio.Condition()

    async def __call__(self, questions: list[str]) -> Replies:
        gate = asyncio.Event()
        async with self._news:
            self.left.append(list(questions))
            self.gates.append(gate)
            self._news.notify_all()
        if not self.open:
            await gate.wait()
        return [ServiceError(Reason.SESSION_INVALID) if "bad" in q else q.upper() for q in questions]

    async def have_left(self, count: int) -> None:
        async with asyncio.timeout(SOON), self._news:
            await self._news.wait_for(lambda: len(self.left) >= count)

    def open_all(self) -> None:
        self.open = True
        for gate in self.gates:
            gate.set()


def failed(error: BaseException) -> ServiceError:
    return ServiceError(Reason.DATABASE_UNAVAILABLE, retry_after=len(type(error).__name__))


def batcher(trips: Trips, **options: object) -> Batcher[str, str]:
    return Batcher(trips, failed, **{"name": "test", "timeout": SOON} | options)  # type: ignore[arg-type]


async def ask_all(asked: Batcher[str, str], questions: Sequence[str]) -> list[asyncio.Task[str]]:
    """All are waiting, in this order, when it returns."""
    tasks = [asyncio.ensure_future(asked.ask(question)) for question in questions]
    await asyncio.sleep(0)
    return tasks


async def test_alone_a_question_leaves_at_once() -> None:
    trips = Trips()
    trips.open = True
    asked = batcher(trips, gather=SOON, gather_most=SOON)
    async with asyncio.timeout(SOON / 2):
        assert [await asked.ask("a"), await asked.ask("b")] == ["A", "B"]
    assert trips.left == [["a"], ["b"]]


async def test_newcomers_wait_for_the_next_batch_and_never_join_one_that_has_left() -> None:
    trips = Trips()
    asked = batcher(trips)
    first = await ask_all(asked, ["a"])
    await trips.have_left(1)
    rest = await ask_all(asked, ["b", "c", "a"])
    assert trips.left == [["a"]]
    trips.gates[0].set()
    await trips.have_left(2)
    assert trips.left[1] == ["b", "c", "a"], "the same question again is asked again"
    assert not any(task.done() for task in rest), "the answer of the first trip is older than these questions"
    trips.open_all()
    assert await asyncio.gather(*first, *rest) == ["A", "B", "C", "A"]


async def test_one_bad_question_of_a_hundred_fails_alone() -> None:
    trips = Trips()
    trips.open = True
    tasks = await ask_all(batcher(trips), ["bad" if n == 50 else f"q{n}" for n in range(100)])
    with pytest.raises(ServiceError) as caught:
        await tasks.pop(50)
    assert caught.value.reason is Reason.SESSION_INVALID
    assert await asyncio.gather(*tasks) == [f"Q{n}" for n in range(100) if n != 50]
    assert len(trips.left) == 1


async def test_no_batch_is_larger_than_most() -> None:
    trips = Trips()
    trips.open = True
    answers = await asyncio.gather(*map(batcher(trips, most=4).ask, "abcdefghij"))
    assert answers == list("ABCDEFGHIJ")
    assert [len(batch) for batch in trips.left] == [4, 4, 2]


async def test_only_after_a_batch_of_more_than_one_is_there_a_time_to_gather() -> None:
    trips = Trips()
    trips.open = True
    asked = batcher(trips, gather=0.05, gather_most=0.05)
    await asked.ask("alone")
    await asyncio.gather(*map(asked.ask, "ab"))
    together = await ask_all(asked, ["c"])
    await asyncio.sleep(0.01)
    together += await ask_all(asked, ["d"])
    assert trips.left == [["alone"], ["a", "b"]], "still gathering"
    assert await asyncio.gather(*together) == ["C", "D"]
    assert trips.left[2] == ["c", "d"]


async def test_the_time_to_gather_follows_the_load_up_to_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    really_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await really_sleep(0)

    trips = Trips()
    trips.open = True
    asked = batcher(trips, gather=0.001, gather_most=0.003)
    monkeypatch.setattr("shared.batcher.asyncio.sleep", sleep)
    for load in (1, 2, 3, 30):
        await asyncio.gather(*(asked.ask("q") for _ in range(load)))
        while asked._running is not None:
            await really_sleep(0)
    assert slept == [0.002, 0.003, 0.003]


async def test_without_batching_each_question_has_its_own_trip() -> None:
    trips = Trips()
    trips.open = True
    asked = batcher(trips, batching=False)
    a, bad, c = await ask_all(asked, ["a", "bad", "c"])
    assert [await a, await c] == ["A", "C"]
    with pytest.raises(ServiceError):
        await bad
    assert trips.left == [["a"], ["bad"], ["c"]]


async def test_with_and_without_batching_a_deadline_is_the_callers_own() -> None:
    for batching in (True, False):
        trips = Trips()
        asked = batcher(trips, batching=batching)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await asked.ask("a")
        trips.open_all()


async def test_a_deadline_ends_one_question_while_its_neighbours_wait_on() -> None:
    trips = Trips()
    asked = batcher(trips)
    [first] = await ask_all(asked, "a")
    await trips.have_left(1)
    neighbours = await ask_all(asked, ["b", "c"])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await asked.ask("hurried")
    trips.gates[0].set()
    await trips.have_left(2)
    assert trips.left[1] == ["b", "c"], "what nobody waits for is not asked"
    trips.open_all()
    assert await asyncio.gather(first, *neighbours) == ["A", "B", "C"]


async def test_cancelling_a_call_whose_batch_has_left_leaves_its_neighbours_alone() -> None:
    trips = Trips()
    asked = batcher(trips)
    a, b, c = await ask_all(asked, "abc")
    await trips.have_left(1)
    b.cancel()
    await asyncio.sleep(0)
    trips.open_all()
    assert [await a, await c] == ["A", "C"]
    assert b.cancelled()
    assert await asked.ask("d") == "D"


async def test_when_everybody_who_waited_is_gone_nothing_is_asked() -> None:
    trips = Trips()
    asked = batcher(trips)
    [first] = await ask_all(asked, "a")
    await trips.have_left(1)
    for task in await ask_all(asked, "bc"):
        task.cancel()
    trips.open_all()
    assert await first == "A"
    assert await asked.ask("d") == "D"
    assert trips.left == [["a"], ["d"]]
