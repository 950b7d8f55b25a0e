"""The batcher when trips fail, hang or end with the process: everybody is refused, nobody waits for ever."""

import asyncio
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shared.batcher import Batcher
from shared.errors import ServiceError
from shared.reasons import Reason

TIMEOUT = 0.05
SOON = 5.0
AnswerAll = Callable[[list[str]], Coroutine[Any, Any, list[str | ServiceError]]]


def failed(error: BaseException) -> ServiceError:
    return ServiceError(Reason.DATABASE_UNAVAILABLE, because=type(error).__name__)


def batcher(answer_all: AnswerAll, **options: object) -> Batcher[str, str]:
    return Batcher(answer_all, failed, **{"name": "test", "timeout": SOON} | options)  # type: ignore[arg-type]


async def refusals(asked: Batcher[str, str], questions: str) -> list[ServiceError]:
    outcomes = await asyncio.wait_for(
        asyncio.gather(*map(asked.ask, questions), return_exceptions=True),
        timeout=SOON,
    )
    assert all(isinstance(outcome, ServiceError) for outcome in outcomes), outcomes
    return outcomes  # type: ignore[return-value]


async def echo(questions: list[str]) -> list[str | ServiceError]:
    return [question.upper() for question in questions]


async def test_a_batch_that_fails_refuses_every_caller_with_an_error_of_their_own() -> None:
    async def broken(questions: list[str]) -> list[str | ServiceError]:
        raise ConnectionError("no route to the database")

    errors = await refusals(batcher(broken), "abc")
    assert [error.values for error in errors] == [{"because": "ConnectionError"}] * 3
    assert len({id(error) for error in errors}) == 3
    depths = [len(traceback.extract_tb(error.__traceback__)) for error in errors]
    assert depths == [depths[0]] * 3, "a shared instance would gather the tracebacks of all"


async def test_a_service_error_of_the_whole_batch_is_what_everybody_is_told() -> None:
    shared_error = ServiceError(Reason.IDENTITY_UNAVAILABLE, retry_after=1.0)

    async def broken(questions: list[str]) -> list[str | ServiceError]:
        raise shared_error

    asked: Batcher[str, str] = Batcher(broken, lambda error: error, name="test", timeout=SOON)  # type: ignore[arg-type,return-value]
    errors = await refusals(asked, "ab")
    assert [(error.reason, error.retry_after) for error in errors] == [(Reason.IDENTITY_UNAVAILABLE, 1.0)] * 2
    assert shared_error not in errors


async def test_after_a_failed_batch_the_next_one_works() -> None:
    async def broken_once(questions: list[str]) -> list[str | ServiceError]:
        if "a" in questions:
            raise ConnectionError
        return await echo(questions)

    asked = batcher(broken_once)
    await refusals(asked, "ab")
    assert await asked.ask("c") == "C"


@pytest.mark.parametrize("error", [ConnectionError, asyncio.CancelledError])
async def test_those_who_waited_behind_a_failed_batch_get_answers(error: type[BaseException]) -> None:
    left, gate = asyncio.Event(), asyncio.Event()

    async def first_breaks(questions: list[str]) -> list[str | ServiceError]:
        if questions == ["a"]:
            left.set()
            await gate.wait()
            raise error
        return await echo(questions)

    asked = batcher(first_breaks)
    a = asyncio.ensure_future(asked.ask("a"))
    await left.wait()
    rest = [asyncio.ensure_future(asked.ask(question)) for question in "bc"]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*rest) == ["B", "C"]
    assert isinstance(a.exception(), ServiceError)


@pytest.mark.parametrize("count", [1, 3], ids=["too few", "too many"])
async def test_answers_that_cannot_be_matched_to_questions_are_given_to_nobody(count: int) -> None:
    async def miscounted(questions: list[str]) -> list[str | ServiceError]:
        return ["somebody's answer"] * count

    await refusals(batcher(miscounted), "ab")


@pytest.mark.parametrize("batching", [True, False])
async def test_at_the_timeout_all_are_refused_even_if_the_trip_cannot_be_cancelled(batching: bool) -> None:
    thaw = asyncio.Event()

    async def frozen(questions: list[str]) -> list[str | ServiceError]:
        while not thaw.is_set():  # as psycopg on a black-holed socket
            try:
                await thaw.wait()
            except asyncio.CancelledError:
                continue
        return await echo(questions)

    asked = batcher(frozen, timeout=TIMEOUT, batching=batching)
    start = time.perf_counter()
    try:
        errors = await refusals(asked, "abc")
        assert time.perf_counter() - start < 1.0
        assert [error.values["because"] for error in errors] == ["TimeoutError"] * 3
    finally:
        thaw.set()


async def test_a_frozen_trip_does_not_hold_up_the_next_one() -> None:
    thaw = asyncio.Event()

    async def first_freezes(questions: list[str]) -> list[str | ServiceError]:
        while "a" in questions and not thaw.is_set():
            try:
                await thaw.wait()
            except asyncio.CancelledError:
                continue
        return await echo(questions)

    asked = batcher(first_freezes, timeout=TIMEOUT)
    try:
        await refusals(asked, "a")
        assert await asyncio.wait_for(asked.ask("b"), SOON) == "B"
    finally:
        thaw.set()


async def test_a_trip_that_fails_after_its_timeout_is_not_reported_as_forgotten(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = asyncio.Event()

    async def dies_late(questions: list[str]) -> list[str | ServiceError]:
        try:
            await asyncio.sleep(SOON)
        except asyncio.CancelledError:
            ended.set()
            raise ConnectionError("the socket, at last") from None
        return []

    asked = batcher(dies_late, timeout=TIMEOUT)
    await refusals(asked, "a")
    await ended.wait()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not asked._tasks
    del asked
    assert not [record for record in caplog.records if "never retrieved" in record.getMessage()]


@pytest.mark.parametrize("batching", [True, False])
async def test_every_caller_is_refused_when_the_trip_itself_was_cancelled(batching: bool) -> None:
    """As calls to identity are when its channel is closed."""

    async def cancelled(questions: list[str]) -> list[str | ServiceError]:
        raise asyncio.CancelledError

    await refusals(batcher(cancelled, batching=batching), "ab")


async def test_when_the_runner_is_cancelled_nobody_waits_for_ever() -> None:
    left = asyncio.Event()

    async def hanging(questions: list[str]) -> list[str | ServiceError]:
        left.set()
        await asyncio.sleep(SOON)
        return []

    asked = batcher(hanging)
    under_way = asyncio.ensure_future(asked.ask("a"))
    await left.wait()
    waiting = asyncio.ensure_future(asked.ask("b"))
    await asyncio.sleep(0)
    assert asked._running is not None
    asked._running.cancel()
    outcomes = await asyncio.wait_for(asyncio.gather(under_way, waiting, return_exceptions=True), SOON)
    assert [type(outcome) for outcome in outcomes] == [ServiceError, ServiceError]


def test_a_loop_that_closes_leaves_nobody_waiting() -> None:
    outcomes: list[object] = []

    async def hanging(questions: list[str]) -> list[str | ServiceError]:
        await asyncio.sleep(SOON)
        return []

    async def main() -> None:
        asked = batcher(hanging)

        async def caller() -> None:
            try:
                await asked.ask("a")
            except BaseException as error:
                outcomes.append(error)
                raise

        asyncio.ensure_future(caller())  # noqa: RUF006
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert len(outcomes) == 1
