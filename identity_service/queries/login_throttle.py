"""SQL of throttling: GCRA, exact under races. A row is the time from which on the next try is allowed."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from shared.database import Tx, fetch, send

ASKED = """
asked AS (
  SELECT key, step, slack
    FROM unnest(%(keys)s::bytea[], %(steps)s::interval[], %(slacks)s::interval[]) AS asked (key, step, slack))"""

WAITING = """
waiting AS (
  SELECT max(extract(epoch FROM t.allowed_at - now() - slack))::float8 AS seconds
    FROM asked
    JOIN login_throttle t ON t.key = asked.key AND t.allowed_at > now() + slack)"""

# In the order of the keys, so that two tries never wait for each other in a circle. Who had to wait sees what was
# taken meanwhile. A flood writes and locks nothing.
TAKEN = """
taken AS (
  INSERT INTO login_throttle AS t (key, allowed_at)
  SELECT key, now() + step FROM asked, waiting WHERE seconds IS NULL ORDER BY key
      ON CONFLICT (key) DO UPDATE
     SET allowed_at = GREATEST(t.allowed_at, now()) + (excluded.allowed_at - now())
   WHERE t.allowed_at <= now() + (SELECT slack FROM asked WHERE asked.key = t.key)
  RETURNING key)"""

WAIT = f"WITH {ASKED}, {WAITING} SELECT seconds FROM waiting"  # noqa: S608 - parts of our own
TAKE = f"WITH {ASKED}, {WAITING}, {TAKEN} SELECT seconds, ARRAY(SELECT key FROM taken) FROM waiting"  # noqa: S608

GIVEN = """
given AS (
  SELECT t.key, step FROM asked JOIN login_throttle t ON t.key = asked.key ORDER BY t.key FOR UPDATE OF t)"""

GIVE_BACK = f"""
WITH {ASKED},{GIVEN}
UPDATE login_throttle t SET allowed_at = t.allowed_at - step FROM given WHERE t.key = given.key"""  # noqa: S608


class Bucket(NamedTuple):
    """`burst` tries at once, then one each `step`."""

    key: bytes
    burst: int
    step: timedelta

    @property
    def slack(self) -> timedelta:
        """How far ahead of now a row may be that still allows a try."""
        return self.step * (self.burst - 1)


class Taken(NamedTuple):
    """Seconds to wait, and then nothing is taken; or the keys of the buckets that a try was taken from.

    Some of them only, when others were faster.
    """

    wait: float | None
    keys: list[bytes]


async def get_wait(tx: Tx, *, buckets: Sequence[Bucket]) -> float:
    """Seconds until all of them would allow a try. Writes and locks nothing."""
    [(seconds,)] = await fetch(tx, WAIT, arrays(buckets))
    return seconds or 0.0


async def insert_tries(tx: Tx, *, buckets: Sequence[Bucket]) -> Taken:
    """Take a try from each, if they would all allow one."""
    [row] = await fetch(tx, TAKE, arrays(buckets))
    return Taken(*row)


async def update_tries_back(tx: Tx, *, buckets: Sequence[Bucket]) -> None:
    """A try comes back to each; what time has given back already is not counted twice."""
    await send(tx, GIVE_BACK, arrays(buckets))


def arrays(buckets: Sequence[Bucket]) -> dict[str, object]:
    """As the statements take them."""
    return {
        "keys": [bucket.key for bucket in buckets],
        "steps": [bucket.step for bucket in buckets],
        "slacks": [bucket.slack for bucket in buckets],
    }
