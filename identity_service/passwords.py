"""Hash and verify passwords, in dedicated threads: argon2id would stall the event loop."""

import asyncio
import os
import secrets
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from secrets import SystemRandom
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError

from identity_service.foreign_hashes import read_hash
from shared.deadline import deadline
from shared.errors import ServiceError
from shared.reasons import Reason

Result = TypeVar("Result")


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


# Of a worker that has the machine to itself; several divide it.
THREADS = max(1, min(2, cores()))
WAITING = 40  # about one second of work
RETRY_AFTER = 1.0  # seconds at least, and up to three times that: all at once they would be too many again
# Public calls with a password that are worked on at a time. Were all that wait at the database too, each turn of the
# event loop would be as long as their number, and every other call would feel it: 1.9 s instead of 20 ms (p99).
# And one core stays free of hashing where there are two: a kernel takes a busy core away only at its next tick.
TURNS = max(1, min(THREADS, cores() - 1))
NICENESS = 10  # the hashing threads give way to the event loop
LEAST_TIME = 0.25  # seconds; who waits no longer than this gets no answer, so none is computed
# OWASP's parameters; memory in KiB.
TIME, MEMORY, PARALLELISM = 2, 19456, 1


class Passwords:
    """Of one of `workers` that share the cores of this machine."""

    def __init__(self, workers: int = 1) -> None:
        self.threads = max(1, min(THREADS, cores() // workers))
        self.turns = max(1, min(TURNS, (cores() - 1) // workers))
        self.most_calls = self.threads + WAITING * self.threads // THREADS
        self._hasher = PasswordHasher(TIME, MEMORY, PARALLELISM)
        self._threads = ThreadPoolExecutor(self.threads, thread_name_prefix="passwords", initializer=give_way)
        self._turns = asyncio.Semaphore(self.turns)
        self.calls_under_way = 0
        self._places = threading.Semaphore(self.most_calls)
        self._dummy = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """A PHC string with the current parameters. HASHING_BUSY when too many wait; DEADLINE_EXCEEDED when near."""
        return await self._in_thread(lambda: self._hasher.hash(password))

    async def verify(self, password: str, stored: str | None) -> bool:
        """Whether `stored` is a hash of the password.

        Without a usable hash the answer is no after the same work, so that the time does not tell who has
        an account. `stored` can be of another system (`foreign_hashes`). Errors as of `hash`.
        """
        usable = stored if stored is not None and read_hash(stored) else None
        matches = await self._in_thread(lambda: self._matches(password, usable or self._dummy))
        return matches and usable is not None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """For the whole of a public call that hashes: waits for its turn. HASHING_BUSY at once when too many wait."""
        if self.calls_under_way >= self.most_calls:
            raise busy()
        self.calls_under_way += 1
        try:
            async with self._turns:
                yield
        finally:
            self.calls_under_way -= 1

    def needs_rehash(self, stored: str) -> bool:
        """Whether a hash has other than the current parameters, or came from another system."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except InvalidHashError:  # of another kind
            return True

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, password: str, stored: str) -> bool:
        compare = read_hash(stored)
        return compare is not None and compare(password.encode())

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        if not self._places.acquire(blocking=False):
            raise busy()
        end = deadline()

        def begin() -> Result:
            if end - time.monotonic() < LEAST_TIME:
                raise ServiceError(Reason.DEADLINE_EXCEEDED)
            return work()

        future = self._threads.submit(begin)
        # Not when the caller is gone, but when the thread is: a hash that has begun cannot be stopped.
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)


def give_way() -> None:
    """On Linux a thread has a priority of its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def busy() -> ServiceError:
    return ServiceError(Reason.HASHING_BUSY, retry_after=RETRY_AFTER * SystemRandom().uniform(1, 3))
