"""SQL of one-time tokens. A token is stored as its SHA-256, and gone when it is used."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, literal, select, update

from identity_service.tables import one_time_tokens
from shared.database import Row, Tx, first


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
) -> None:
    """Without a hash it opens nothing yet: the mail that hands it out makes one."""
    statement = insert(one_time_tokens).values(
        token_id=token_id,
        purpose=purpose,
        token_hash=token_hash,
        user_id=user_id,
        email=email,
        password_hash=password_hash,
        display_name=display_name,
        expire_time=func.now() + lifetime,
    )
    await tx.execute(statement)


async def delete_one_time_token(tx: Tx, *, token_hash: bytes, purposes: tuple[str, ...]) -> Row | None:
    """Use it: the row, or None if there is no such token, or no longer. Of two at once one gets it."""
    t = one_time_tokens
    valid = (t.c.token_hash == token_hash, t.c.purpose.in_(purposes), t.c.expire_time > func.now())
    return await first(tx, delete(t).where(*valid).returning(t))


async def delete_one_time_tokens(tx: Tx, *, user_id: UUID) -> None:
    """All that are out for a user: what they would open has changed."""
    await tx.execute(delete(one_time_tokens).where(one_time_tokens.c.user_id == user_id))


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
