"""SQL of throttling: GCRA, exact under races. A row is the time from which on the next try is allowed."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BindParameter, Interval, LargeBinary, bindparam, text

from shared.database import Tx, many

TAKE = text("""
INSERT INTO login_throttle AS t (key, allowed_at)
SELECT key, now() + step FROM unnest(:keys, :steps, :slacks) AS asked (key, step, slack) ORDER BY key
    ON CONFLICT (key) DO UPDATE
   SET allowed_at = GREATEST(t.allowed_at, now())
                    + (SELECT step FROM unnest(:keys, :steps) AS a (key, step) WHERE a.key = t.key)
 WHERE t.allowed_at <= now() + (SELECT slack FROM unnest(:keys, :slacks) AS a (key, slack) WHERE a.key = t.key)
RETURNING t.key""")

WAITS = text("""
SELECT t.key, extract(epoch FROM t.allowed_at - now() - asked.slack)::float8 AS seconds
  FROM unnest(:keys, :slacks) AS asked (key, slack)
  JOIN login_throttle t ON t.key = asked.key
 WHERE t.allowed_at > now() + asked.slack""")

GIVE_BACK = text("""
UPDATE login_throttle t
   SET allowed_at = t.allowed_at - asked.step
  FROM (SELECT key, step FROM unnest(:keys, :steps) AS a (key, step) ORDER BY key) asked
 WHERE t.key = asked.key""")


class Bucket(NamedTuple):
    """`burst` tries at once, then one each `step`."""

    key: bytes
    burst: int
    step: timedelta

    @property
    def slack(self) -> timedelta:
        return self.step * (self.burst - 1)


async def get_wait(tx: Tx, *, buckets: Sequence[Bucket]) -> float | None:
    """Seconds until all of them would allow a try; None if they do."""
    rows = await many(tx, WAITS.bindparams(*_values(buckets, steps=False, slacks=True)))
    return max((float(row.seconds) for row in rows), default=None)


async def insert_tries(tx: Tx, *, buckets: Sequence[Bucket]) -> bool:
    """Take a try from each, locked in one order; False if one has none left: roll back."""
    taken = await many(tx, TAKE.bindparams(*_values(buckets, steps=True, slacks=True)))
    return len(taken) == len(buckets)


async def update_tries_back(tx: Tx, *, buckets: Sequence[Bucket]) -> None:
    await tx.execute(GIVE_BACK.bindparams(*_values(buckets, steps=True, slacks=False)))


def _values(buckets: Sequence[Bucket], *, steps: bool, slacks: bool) -> list[BindParameter[Any]]:
    ordered = sorted(buckets)
    values: list[BindParameter[Any]] = [bindparam("keys", [b.key for b in ordered], ARRAY(LargeBinary))]
    if steps:
        values.append(bindparam("steps", [b.step for b in ordered], ARRAY(Interval())))
    if slacks:
        values.append(bindparam("slacks", [b.slack for b in ordered], ARRAY(Interval())))
    return values
