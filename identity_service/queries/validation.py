"""SQL of the hot path: which sessions are valid now, in one statement; and the writes that follow from it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ARRAY, Text, bindparam, text

from shared.database import Database, Tx

# Express apps may hold other ids than ours; those are no error and nobody's session here. LIKE and translate
# tell them apart, as a regular expression would double the cost of the whole statement. OFFSET 0 keeps each look-up
# by its primary key: of a new database's empty tables the planner would take any other index, and keep to it.
WHOSE = "SELECT asked.place, s.session_id::text, u.user_id::text, s.last_seen_at < now() - $1::interval AS is_touch_due"
DETAILS = """, s.created_at, s.expire, s.last_seen_at, s.auth_time, host(s.ip),
       s.user_agent, s.amr, s.device_name"""
VALID = """
  FROM unnest(string_to_array($2::text, chr(10))) WITH ORDINALITY AS asked (sid, place)
 CROSS JOIN LATERAL (SELECT * FROM session WHERE sid = asked.sid OFFSET 0) s
 CROSS JOIN LATERAL (
       SELECT user_id, state
         FROM users
        WHERE user_id = CASE WHEN s.user_id LIKE '________-____-____-____-____________'
                              AND translate(s.user_id, '0123456789abcdef', '') = '----'
                             THEN s.user_id::uuid END
       OFFSET 0) u
 WHERE s.expire > now()
   AND s.absolute_expires_at > now()
   AND u.state = 'ACTIVE'
"""
VALID_SESSIONS = WHOSE + DETAILS + VALID
OWNERS_OF_VALID_SESSIONS = WHOSE + VALID

# As Express touches: `expire` moves by the session's own originalMaxAge, `sess` stays. A row that somebody
# else is writing is skipped; it becomes due again with the next question.
TOUCH = text("""
WITH due AS (
  SELECT sid, CASE WHEN jsonb_typeof(sess #> '{cookie,originalMaxAge}') = 'number'
                   THEN GREATEST(0, LEAST((sess #>> '{cookie,originalMaxAge}')::numeric / 1000, 1e9))
                   ELSE :idle END AS seconds
    FROM session
   WHERE sid = ANY(:sids) AND expire > now() AND last_seen_at < now() - :every
   ORDER BY sid
     FOR UPDATE SKIP LOCKED)
UPDATE session
   SET last_seen_at = now(),
       expire = GREATEST(expire, date_trunc('second', now() + make_interval(secs => due.seconds::float8)))
  FROM due
 WHERE session.sid = due.sid
""").bindparams(bindparam("sids", type_=ARRAY(Text)))


class Owner(NamedTuple):
    """Whose session it is: the place of its sid among those asked about (from 1), and ids as text."""

    place: int
    session_id: str
    user_id: str
    is_touch_due: bool


class ValidSession(NamedTuple):
    """The same, and what else callers may know of it."""

    place: int
    session_id: str
    user_id: str
    is_touch_due: bool
    created_at: datetime
    expire: datetime
    last_seen_at: datetime
    auth_time: datetime
    ip: str | None
    user_agent: str | None
    amr: list[str]
    device_name: str | None


def lines(sids: Sequence[str]) -> str:
    """As one text, which costs psycopg less than a single element of an array; no sid that was signed has such an end.

    (tokens.read lets none through that is not printable.)
    """
    return "\n".join(sids)


def seconds(interval: timedelta) -> str:
    return f"{interval.total_seconds()} seconds"


async def list_valid_sessions(database: Database, *, sids: Sequence[str], touch_every: timedelta) -> list[ValidSession]:
    """Those of the sids that stand for an active user's session at this moment, in any order."""
    return [ValidSession(*row) for row in await database.hot_read(VALID_SESSIONS, (seconds(touch_every), lines(sids)))]


async def list_owners(database: Database, *, sids: Sequence[str], touch_every: timedelta) -> list[Owner]:
    """The same without the details."""
    return [
        Owner(*row) for row in await database.hot_read(OWNERS_OF_VALID_SESSIONS, (seconds(touch_every), lines(sids)))
    ]


async def update_last_seen(tx: Tx, *, sids: Sequence[str], idle: timedelta, touch_every: timedelta) -> None:
    """Sessions seen longer ago than `touch_every` are seen now and expire later; none is revived."""
    values = {"sids": sorted(sids), "idle": idle.total_seconds(), "every": touch_every}
    await tx.execute(TOUCH, values)
