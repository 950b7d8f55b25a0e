"""Slow calls take turns: one step of one of them at a time, then the event loop's other work.

In one turn of an event loop everything runs that is ready. Thirty lists that read their rows at the same moment would
keep a check, a look at the health and every new call waiting until the last of them has read its own; and a new call
needs five turns until gRPC has handed it over, be it only to be refused.
"""

import asyncio
import heapq
import itertools
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

PER_PAUSE = 8  # calls that wait for a turn, for one more turn of the loop between two of theirs
LONGEST = 10  # such turns
THROWN = (Exception, asyncio.CancelledError)

Result = TypeVar("Result")


class Turns:
    """Of the calls of one event loop, the oldest first: if all got on at the same pace, all would be late.

    The more calls wait, the more turns of the loop are left between two of theirs for others to arrive, be answered or
    be refused. One that is cancelled goes on at once.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._is_going_on = False

    @coroutine
    def taken_by(self, work: Coroutine[Any, Any, Result]) -> Generator[Any, Any, Result]:
        """What it returns, or raises. All that it awaits itself counts; tasks that it starts do not."""
        age = next(self._numbers)
        step: Any = work.send
        given: Any = None
        awaited: Any
        try:
            while True:
                try:
                    yield from self._turn(age)
                except THROWN as error:
                    step, given = work.throw, error
                awaited = step(given)
                step, given = work.send, None
                try:
                    yield awaited
                except THROWN as error:
                    step, given = work.throw, error
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            given = awaited = None  # an error holds this frame, and would be held by it

    def _turn(self, age: int) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._waiting, (age, next(self._numbers), turn))
        if not self._is_going_on:
            self._is_going_on = True
            loop.call_soon(self._go_on, 0)
        return turn

    def _go_on(self, pause: int) -> None:
        loop = asyncio.get_running_loop()
        if pause:
            loop.call_soon(self._go_on, pause - 1)
            return
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():  # cancelled
                turn.set_result(None)
                loop.call_soon(self._go_on, min(1 + len(self._waiting) // PER_PAUSE, LONGEST))
                return
        self._is_going_on = False
