"""SQL of sessions. Express apps write the same rows; who judges them is always the database's clock."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, any_, bindparam, delete, func, select, tuple_, update

from identity_service.tables import sessions, users
from shared.database import Row, Tx, fetch, first, many

SHOWN = (
    sessions.c.session_id,
    sessions.c.user_id,
    sessions.c.created_at,
    sessions.c.expire,
    sessions.c.last_seen_at,
    sessions.c.auth_time,
    func.host(sessions.c.ip).label("ip"),
    sessions.c.user_agent,
    sessions.c.amr,
    sessions.c.device_name,
)


def valid() -> ColumnElement[bool]:
    return (sessions.c.expire > func.now()) & (sessions.c.absolute_expires_at > func.now())


# For `person (user_id)`, who is locked. Whole seconds: Express compares these; with fractions the two sides would
# differ by up to one. It computes the next `expire` from originalMaxAge, a number of milliseconds. `ended` does not
# see `begun`, which is the newest whatever its time says: the sign-in may have waited for one that came after it.
BEGUN = """
begun AS (
  INSERT INTO session (sid, sess, expire, absolute_expires_at, ip, user_agent, amr, device_name)
  SELECT %(sid)s,
         jsonb_build_object(
           'cookie', jsonb_build_object(
              'originalMaxAge', (extract(epoch FROM %(idle)s::interval) * 1000)::bigint,
              'expires', to_char(expire AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
              'httpOnly', true,
              'path', '/'),
           'userId', person.user_id),
         expire,
         date_trunc('second', now() + %(absolute)s::interval),
         %(ip)s::inet, %(user_agent)s, %(amr)s::text[], %(device_name)s
    FROM person, date_trunc('second', now() + %(idle)s::interval) AS expire
  RETURNING *),
ended AS (
  DELETE FROM session
   WHERE sid IN (
         SELECT sid
           FROM session
          WHERE user_id = (SELECT user_id::text FROM person) AND expire > now() AND absolute_expires_at > now()
          ORDER BY created_at DESC, session_id DESC
         OFFSET %(keep)s::int - 1)
  RETURNING session_id),
told AS (
  INSERT INTO events (type, user_id, session_id)
  SELECT 'SESSION_CREATED', person.user_id, session_id FROM person, begun
   UNION ALL
  SELECT 'SESSION_ENDED', person.user_id, session_id FROM person, ended),
recorded AS (
  INSERT INTO audit_events (audit_event_id, action, user_id, actor_user_id, actor_service, session_id, ip, user_agent,
                            request_id, details)
  SELECT %(audit_event_id)s::uuid, %(action)s, person.user_id, %(actor_user_id)s::uuid, %(actor_service)s,
         session_id, ip, user_agent, %(request_id)s, jsonb_build_object('amr', amr)
    FROM person, begun)"""
BEGUN_SESSION = """
SELECT session_id, user_id, created_at, expire, last_seen_at, auth_time, host(ip), user_agent, amr, device_name
  FROM begun"""
BEGIN = f"WITH person AS (SELECT %(user_id)s::uuid AS user_id),{BEGUN}{BEGUN_SESSION}"


class BegunSession(NamedTuple):
    """What callers may know of it."""

    session_id: UUID
    user_id: str
    created_at: datetime
    expire: datetime
    last_seen_at: datetime
    auth_time: datetime
    ip: str | None
    user_agent: str | None
    amr: list[str]
    device_name: str | None


async def insert_session(tx: Tx, *, new: Mapping[str, object]) -> BegunSession:
    """Of the user whom the audit event among the values is about, who is locked; their oldest end beyond `keep`.

    With the events of all that.
    """
    [row] = await fetch(tx, BEGIN, new)
    return BegunSession(*row)


async def get_session(tx: Tx, *, user_id: UUID, session_id: UUID) -> Row | None:
    """One of the user's valid sessions."""
    statement = select(*SHOWN).where(sessions.c.user_id == str(user_id), sessions.c.session_id == session_id, valid())
    return await first(tx, statement)


async def update_session_amr(tx: Tx, *, user_id: UUID, session_id: UUID, amr: Sequence[str]) -> None:
    """How the person has now proved who they are."""
    mine = (sessions.c.user_id == str(user_id), sessions.c.session_id == session_id)
    await tx.execute(update(sessions).where(*mine).values(amr=list(amr)))


async def list_sessions(tx: Tx, *, user_id: UUID, before: tuple[datetime, UUID] | None, limit: int) -> list[Row]:
    """The user's valid sessions, newest first; `before` is the last (created_at, session_id) of a page."""
    key = tuple_(sessions.c.created_at, sessions.c.session_id)
    statement = select(*SHOWN).where(sessions.c.user_id == str(user_id), valid())
    if before is not None:
        statement = statement.where(key < before)
    newest_first = statement.order_by(sessions.c.created_at.desc(), sessions.c.session_id.desc())
    return await many(tx, newest_first.limit(limit))


async def delete_session(tx: Tx, *, user_id: UUID, session_id: UUID) -> bool:
    """For good: the table's triggers remember it. Whether it was there, valid or expired."""
    mine = (sessions.c.user_id == str(user_id), sessions.c.session_id == session_id)
    return await first(tx, delete(sessions).where(*mine).returning(sessions.c.session_id)) is not None


async def delete_sessions(tx: Tx, *, user_id: UUID, all_but: UUID | None = None) -> list[UUID]:
    """All of the user's sessions, also those that have expired; the ids of those that were valid."""
    statement = delete(sessions).where(sessions.c.user_id == str(user_id))
    if all_but is not None:
        statement = statement.where(sessions.c.session_id != all_but)
    ended = await many(tx, statement.returning(sessions.c.session_id, valid().label("was_valid")))
    return [row.session_id for row in ended if row.was_valid]


async def get_recent(tx: Tx, *, user_id: UUID, session_id: UUID, within: timedelta) -> bool:
    """Whether this valid session was signed in not longer ago than `within`, with the second factor if there is one."""
    recent = sessions.c.auth_time > func.now() - bindparam(None, within, Interval)
    strong = ~users.c.has_second_factor | (any_(sessions.c.amr) == "mfa")
    mine = (sessions.c.user_id == str(user_id), sessions.c.session_id == session_id, valid())
    theirs = sessions.join(users, users.c.user_id == user_id)
    row = await first(tx, select(recent & strong).select_from(theirs).where(*mine))
    return row is not None and bool(row[0])
