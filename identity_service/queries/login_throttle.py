"""SQL of throttling: GCRA, exact under races. A row is the time from which on the next try is allowed."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BindParameter, Interval, LargeBinary, bindparam, text

from shared.database import Tx, many

# In the order of the keys, so that two tries never wait for each other in a circle. Who had to wait sees what was
# taken meanwhile.
TAKE = text("""
INSERT INTO login_throttle AS t (key, allowed_at)
SELECT key, now() + step FROM unnest(:keys, :steps) AS asked (key, step) ORDER BY key
    ON CONFLICT (key) DO UPDATE
   SET allowed_at = GREATEST(t.allowed_at, now()) + (excluded.allowed_at - now())
 WHERE t.allowed_at <= now() + (SELECT slack FROM unnest(:keys, :slacks) AS a (key, slack) WHERE a.key = t.key)
RETURNING key""")

WAIT = text("""
SELECT max(extract(epoch FROM t.allowed_at - now() - slack))::float8 AS seconds
  FROM unnest(:keys, :slacks) AS asked (key, slack)
  JOIN login_throttle t ON t.key = asked.key AND t.allowed_at > now() + slack""")

GIVE_BACK = text("""
WITH taken AS (
  SELECT t.key, step
    FROM unnest(:keys, :steps) AS asked (key, step)
    JOIN login_throttle t ON t.key = asked.key
   ORDER BY t.key
     FOR UPDATE OF t)
UPDATE login_throttle t SET allowed_at = t.allowed_at - step FROM taken WHERE t.key = taken.key""")


class Bucket(NamedTuple):
    """`burst` tries at once, then one each `step`."""

    key: bytes
    burst: int
    step: timedelta

    @property
    def slack(self) -> timedelta:
        """How far ahead of now a row may be that still allows a try."""
        return self.step * (self.burst - 1)


async def get_wait(tx: Tx, *, buckets: Sequence[Bucket]) -> float | None:
    """Seconds until all of them would allow a try; None if they do. Writes and locks nothing."""
    [row] = await many(tx, WAIT.bindparams(keys(buckets), slacks(buckets)))
    return None if row.seconds is None else float(row.seconds)


async def insert_tries(tx: Tx, *, buckets: Sequence[Bucket]) -> bool:
    """Take a try from each; False if one has none left: roll back."""
    taken = await many(tx, TAKE.bindparams(keys(buckets), steps(buckets), slacks(buckets)))
    return len(taken) == len(buckets)


async def update_tries_back(tx: Tx, *, buckets: Sequence[Bucket]) -> None:
    """A try comes back to each; what time has given back already is not counted twice."""
    await tx.execute(GIVE_BACK.bindparams(keys(buckets), steps(buckets)))


def keys(buckets: Sequence[Bucket]) -> BindParameter[Any]:
    return bindparam("keys", [bucket.key for bucket in buckets], ARRAY(LargeBinary))


def steps(buckets: Sequence[Bucket]) -> BindParameter[Any]:
    return bindparam("steps", [bucket.step for bucket in buckets], ARRAY(Interval))


def slacks(buckets: Sequence[Bucket]) -> BindParameter[Any]:
    return bindparam("slacks", [bucket.slack for bucket in buckets], ARRAY(Interval))
