"""Slow down guessing, in the database: all workers count together, and a restart forgets nothing."""

import hashlib
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

    async def take(self, *buckets: Bucket) -> None:
        """A try from every bucket, or THROTTLED and none is taken."""
        async with self._database.single_read() as tx:  # a flood is refused without a write or a lock
            wait = await login_throttle.get_wait(tx, buckets=buckets)
        if wait is None:
            async with self._database.transaction() as tx:
                if await login_throttle.insert_tries(tx, buckets=buckets):
                    return
                wait = await login_throttle.get_wait(tx, buckets=buckets)
                raise refused(wait)
        raise refused(wait)

    async def give_back(self, tx: Tx, *buckets: Bucket) -> None:
        """What turned out to be no guess does not count."""
        await login_throttle.update_tries_back(tx, buckets=buckets)


def refused(wait: float | None) -> ServiceError:
    return ServiceError(Reason.THROTTLED, retry_after=max(1.0, wait or 0.0))
