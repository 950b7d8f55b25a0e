"""SQL of one-time tokens. A token is stored as its SHA-256, and gone when it is used."""

from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, literal, select, update

from identity_service.tables import one_time_tokens, users
from shared.database import Row, Tx, fetch, first, many

INSERT = """
INSERT INTO one_time_tokens
       (token_id, purpose, token_hash, user_id, email, password_hash, display_name, expire_time)
VALUES (%(token_id)s, %(purpose)s, %(token_hash)s, %(user_id)s, %(email)s, %(password_hash)s, %(display_name)s,
        now() + %(lifetime)s::interval)
RETURNING expire_time"""


async def insert_one_time_token(
    tx: Tx,
    *,
    token_id: UUID,
    purpose: str,
    lifetime: timedelta,
    token_hash: bytes | None = None,
    user_id: UUID | None = None,
    email: str | None = None,
    password_hash: str | None = None,
    display_name: str | None = None,
) -> datetime:
    """When it ends. Without a hash it opens nothing yet: the mail that hands it out makes one."""
    values = {
        "token_id": token_id,
        "purpose": purpose,
        "lifetime": lifetime,
        "token_hash": token_hash,
        "user_id": user_id,
        "email": email,
        "password_hash": password_hash,
        "display_name": display_name,
    }
    [(expire_time,)] = await fetch(tx, INSERT, values)
    return cast(datetime, expire_time)


def good(token_hash: bytes, purposes: tuple[str, ...]) -> ColumnElement[bool]:
    t = one_time_tokens
    return (t.c.token_hash == token_hash) & t.c.purpose.in_(purposes) & (t.c.expire_time > func.now())


async def get_token_by_hash(tx: Tx, *, token_hash: bytes, purposes: tuple[str, ...]) -> Row | None:
    """It stays good, and another may use it before you do."""
    return await first(tx, select(one_time_tokens).where(good(token_hash, purposes)))


async def get_token_owner(tx: Tx, *, token_hash: bytes, purpose: str) -> Row | None:
    """The user whom a good token is for; the token stays good."""
    t = one_time_tokens
    owner = select(users).join(t, t.c.user_id == users.c.user_id)
    return await first(tx, owner.where(good(token_hash, (purpose,))))


async def delete_one_time_token(tx: Tx, *, token_hash: bytes, purposes: tuple[str, ...]) -> Row | None:
    """Use it: the row, or None if there is no such token, or no longer. Of two at once one gets it."""
    t = one_time_tokens
    return await first(tx, delete(t).where(good(token_hash, purposes)).returning(t))


async def delete_one_time_tokens(tx: Tx, *, user_id: UUID, purpose: str | None = None) -> None:
    """All that are out for a user, or those of a purpose: what they would open has changed."""
    statement = delete(one_time_tokens).where(one_time_tokens.c.user_id == user_id)
    if purpose is not None:
        statement = statement.where(one_time_tokens.c.purpose == purpose)
    await tx.execute(statement)


async def delete_sign_ups(tx: Tx, *, email_key: str) -> list[UUID]:
    """All that wait for the answer of an address, locked in one order: two of them can be answered at once."""
    t = one_time_tokens
    # What is not ASCII in it is lower-case already; "C", as a Turkish database makes another letter of I.
    of_address = func.lower(t.c.email.collate("C")) == email_key
    waiting = select(t.c.token_id).where(t.c.purpose == "SIGN_UP", of_address)
    locked = waiting.order_by(t.c.token_id).with_for_update()
    deleted = await many(tx, delete(t).where(t.c.token_id.in_(locked)).returning(t.c.token_id))
    return [row.token_id for row in deleted]


async def get_one_time_token(tx: Tx, *, token_id: UUID) -> Row | None:
    """Whether a mail has handed it out yet or not."""
    return await first(tx, select(one_time_tokens).where(one_time_tokens.c.token_id == token_id))


async def update_token_hash(tx: Tx, *, token_id: UUID, token_hash: bytes, lifetime: timedelta) -> bool:
    """Hand it out; False if an earlier mail did."""
    t = one_time_tokens
    statement = update(t).where(t.c.token_id == token_id, t.c.token_hash.is_(None))
    statement = statement.values(token_hash=token_hash, expire_time=func.now() + lifetime)
    return await first(tx, statement.returning(t.c.token_id)) is not None


async def insert_token_copy(tx: Tx, *, of: UUID, token_id: UUID, token_hash: bytes, lifetime: timedelta) -> None:
    """It opens what the other opens; both are good."""
    t = one_time_tokens
    values: dict[str, ColumnElement[Any]] = {
        "token_id": literal(token_id),
        "token_hash": literal(token_hash),
        "expire_time": func.now() + lifetime,
        **{name: t.c[name] for name in ("purpose", "user_id", "email", "password_hash", "display_name")},
    }
    await tx.execute(insert(t).from_select(list(values), select(*values.values()).where(t.c.token_id == of)))


async def delete_token(tx: Tx, *, token_id: UUID) -> None:
    await tx.execute(delete(one_time_tokens).where(one_time_tokens.c.token_id == token_id))
