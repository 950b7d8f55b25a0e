"""Many concurrent questions, one trip for their answers (design: fresh by default, and still fast).

While a batch is under way newcomers queue. When it returns the next leaves at once, or, only if the last
batch held more than one question, after a short gathering time that follows the load. Alone, a question
waits for nothing. Nobody joins a batch that has left, and no answer is used twice: none is older than its
question.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

from shared.errors import ServiceError
from shared.worker_metrics import BATCH_QUESTIONS, BATCH_SECONDS

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Batch: TypeAlias = list[tuple[Question, asyncio.Future[Answer]]]


class Batcher(Generic[Question, Answer]):
    """`answer_all` gives for each question, in order, an answer or the error for that one alone.

    A batch that fails or outlasts `timeout` seconds is refused as a whole with what `failed` makes: closed,
    never an old answer. `gather` is seconds per question of the last batch, `gather_most` its limit.
    Measured under its `name`.
    """

    def __init__(
        self,
        answer_all: Callable[[list[Question]], Coroutine[Any, Any, Sequence[Answer | ServiceError]]],
        failed: Callable[[BaseException], ServiceError],
        *,
        name: str,
        timeout: float,
        most: int = 1000,
        gather: float = 0.0003,
        gather_most: float = 0.012,
        batching: bool = True,
    ) -> None:
        self._answer_all, self._failed = answer_all, failed
        self._timeout, self._most = timeout, most
        self._gather, self._gather_most = gather, gather_most
        self._batching = batching
        self._count_questions, self._time_trip = (
            BATCH_QUESTIONS.labels(name).observe,
            BATCH_SECONDS.labels(name).observe,
        )
        self._waiting: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def ask(self, question: Question) -> Answer:
        """The answer to this question, asked after this call began. Cancelling it harms nobody else."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if not self._batching:  # the naive way, for comparison: one trip for each question
            self._start(self._answer([(question, future)]))
            return await future
        self._waiting.append((question, future))
        if self._running is None:
            self._running = self._start(self._run())
        return await future

    async def _run(self) -> None:
        me = asyncio.current_task()
        try:
            while batch := self._next_batch():
                await self._answer(batch)
                if self._running is not me:  # it took too long, and another runs by now
                    return
                if len(batch) > 1 and len(self._waiting) < self._most:
                    await asyncio.sleep(min(self._gather * len(batch), self._gather_most))
        except BaseException as error:  # the loop is closing down: nobody may wait for ever
            while self._running is me and self._waiting:
                self._refuse([self._waiting.popleft()], error)
            raise
        finally:
            if self._running is me:
                self._running = None

    def _next_batch(self) -> Batch[Question, Answer]:
        batch: Batch[Question, Answer] = []
        while self._waiting and len(batch) < self._most:
            item = self._waiting.popleft()
            if not item[1].done():  # cancelled while it waited
                batch.append(item)
        return batch

    async def _answer(self, batch: Batch[Question, Answer]) -> None:
        """One trip. It is not waited for beyond its timeout, as a frozen socket ignores being cancelled for long."""
        trip, begin = asyncio.current_task(), time.perf_counter()
        assert trip is not None
        self._count_questions(len(batch))
        timer = asyncio.get_running_loop().call_later(self._timeout, self._give_up, trip, batch)
        try:
            answers = await self._answer_all([question for question, _ in batch])
            answered = list(zip(batch, answers, strict=True))  # all counted before the first is given out
        except BaseException as error:
            self._refuse(batch, error)
            if not isinstance(error, Exception) and trip.cancelling():  # not what it asked, but we
                raise
            return
        finally:
            timer.cancel()
            self._time_trip(time.perf_counter() - begin)
        for (_, future), answer in answered:
            if future.done():
                continue
            if isinstance(answer, ServiceError):
                future.set_exception(answer.fresh())
            else:
                future.set_result(answer)

    def _give_up(self, trip: "asyncio.Task[None]", batch: Batch[Question, Answer]) -> None:
        """Refuse who travels, and let those go who wait."""
        self._refuse(batch, TimeoutError())
        if self._running is trip:
            self._running = self._start(self._run())
        trip.cancel()

    def _refuse(self, batch: Batch[Question, Answer], error: BaseException) -> None:
        refusal = self._failed(error)
        for _, future in batch:
            if not future.done():
                future.set_exception(refusal.fresh())

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Held until it ends, also while it dies of old age after everybody was answered."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
