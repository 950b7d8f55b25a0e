"""Slow down guessing, in the database: all workers count together, and a restart forgets nothing."""

import hashlib
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from identity_service.queries import login_throttle
from identity_service.queries.login_throttle import Bucket
from shared.database import Database, Tx
from shared.errors import ServiceError
from shared.reasons import Reason


def bucket(burst: int, step: timedelta, *what: object) -> Bucket:
    """`burst` tries at once, then one each `step`, counted for `what`, which is stored as a hash."""
    return Bucket(hashlib.sha256("\0".join(map(str, what)).encode()).digest(), burst, step)


class Throttle:
    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def guess(self, *buckets: Bucket, checked: bool = False) -> AsyncIterator[None]:
        """Around the check of a secret: counts as a try unless HASHING_BUSY kept it from being checked.

        THROTTLED when there is none left. Cancelled calls count: their check may have been made.
        `checked` spares a statement to who has just called `check`.
        """
        await (self._take(*buckets) if checked else self.take(*buckets))
        try:
            yield
        except ServiceError as error:
            if error.reason is Reason.HASHING_BUSY:
                async with self._database.transaction() as tx:
                    await self.give_back(tx, *buckets)
            raise

    async def check(self, tx: Tx, *buckets: Bucket) -> None:
        """THROTTLED if there is no try left: a flood is refused without a write or a lock."""
        wait = await login_throttle.get_wait(tx, buckets=buckets)
        if wait is not None:
            raise refused(wait)

    async def take(self, *buckets: Bucket) -> None:
        """A try from every bucket; or THROTTLED, and none is taken."""
        async with self._database.single_read() as tx:
            await self.check(tx, *buckets)
        await self._take(*buckets)

    async def _take(self, *buckets: Bucket) -> None:
        try:
            async with self._database.transaction() as tx:
                if not await login_throttle.insert_tries(tx, buckets=buckets):
                    raise refused(0)
        except ServiceError as error:
            if error.reason is Reason.THROTTLED:  # others were faster; how long it is now
                async with self._database.single_read() as tx:
                    await self.check(tx, *buckets)
            raise

    async def give_back(self, tx: Tx, *buckets: Bucket) -> None:
        """What turned out to be no guess does not count. Last in its transaction: others wait for these rows."""
        await login_throttle.update_tries_back(tx, buckets=buckets)


def refused(wait: float) -> ServiceError:
    """In whole seconds, rounded up: who waits as long gets in."""
    return ServiceError(Reason.THROTTLED, retry_after=max(1, math.ceil(wait)))
