"""SQL of sessions. Express apps write the same rows; who judges them is always the database's clock."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, any_, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import INET

from identity_service.tables import sessions, users
from shared.database import Row, Tx, first, many, one

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


def whole_seconds_after(duration: timedelta) -> ColumnElement[datetime]:
    """Express compares whole seconds; with fractions the two sides would differ by up to one."""
    return func.date_trunc("second", func.now() + bindparam(None, duration, Interval))


async def insert_session(
    tx: Tx,
    *,
    sid: str,
    user_id: UUID,
    idle: timedelta,
    absolute: timedelta,
    ip: str | None,
    user_agent: str,
    amr: Sequence[str],
    device_name: str,
) -> Row:
    expire = whole_seconds_after(idle)
    cookie = func.jsonb_build_object(
        # A number, in milliseconds: from it Express computes the next `expire`.
        *("originalMaxAge", int(idle.total_seconds() * 1000)),
        *("expires", func.to_char(func.timezone("UTC", expire), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
        *("httpOnly", True),
        *("path", "/"),
    )
    statement = insert(sessions).values(
        sid=sid,
        sess=func.jsonb_build_object("cookie", cookie, "userId", str(user_id)),
        expire=expire,
        absolute_expires_at=whole_seconds_after(absolute),
        ip=bindparam(None, ip, INET),
        user_agent=user_agent,
        amr=list(amr),
        device_name=device_name,
    )
    return await one(tx, statement.returning(*SHOWN))


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


async def delete_oldest_sessions(tx: Tx, *, user_id: UUID, keep: int, begun: UUID) -> list[UUID]:
    """The user's valid sessions beyond the `keep` newest.

    `begun` is the newest whatever its time says: the sign-in may have waited for one that came after it.
    """
    newest_first = sessions.c.created_at.desc(), sessions.c.session_id.desc()
    others = (sessions.c.user_id == str(user_id), sessions.c.session_id != begun, valid())
    beyond = select(sessions.c.sid).where(*others).order_by(*newest_first).offset(keep - 1)
    statement = delete(sessions).where(sessions.c.sid.in_(beyond)).returning(sessions.c.session_id)
    return [row.session_id for row in await many(tx, statement)]


async def get_recent(tx: Tx, *, user_id: UUID, session_id: UUID, within: timedelta) -> bool:
    """Whether this valid session was signed in not longer ago than `within`, with the second factor if there is one."""
    recent = sessions.c.auth_time > func.now() - bindparam(None, within, Interval)
    strong = ~users.c.has_second_factor | (any_(sessions.c.amr) == "mfa")
    mine = (sessions.c.user_id == str(user_id), sessions.c.session_id == session_id, valid())
    theirs = sessions.join(users, users.c.user_id == user_id)
    row = await first(tx, select(recent & strong).select_from(theirs).where(*mine))
    return row is not None and bool(row[0])
