"""SQL of second factors and recovery codes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import BigInteger, cast, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from identity_service.tables import recovery_codes, totp_factors
from shared.database import Row, Tx, first

# RFC 6238's T by the database's clock: all workers agree, and no drift of theirs opens the window wider.
STEP = cast(func.floor(func.extract("epoch", func.now()) / 30), BigInteger).label("step")


async def get_factor(tx: Tx, *, user_id: UUID) -> Row | None:
    """The factor, confirmed or not, and `step`: which of TOTP's 30 seconds it is now."""
    return await first(tx, select(totp_factors, STEP).where(totp_factors.c.user_id == user_id))


async def upsert_factor(tx: Tx, *, user_id: UUID, secret: bytes) -> None:
    """A new one, not confirmed, in place of the one there was."""
    values = {"secret": secret, "confirmed_time": None, "last_used_step": 0, "create_time": func.now()}
    statement = upsert(totp_factors).values(user_id=user_id, secret=secret)
    await tx.execute(statement.on_conflict_do_update(index_elements=[totp_factors.c.user_id], set_=values))


async def update_factor_used(tx: Tx, *, user_id: UUID, step: int, secret: bytes) -> bool:
    """Use up the steps until `step`: False if they are. Of two at once one gets it. `secret` is sealed anew."""
    f = totp_factors
    statement = update(f).where(f.c.user_id == user_id, f.c.last_used_step < step)
    statement = statement.values(last_used_step=step, secret=secret)
    return await first(tx, statement.returning(f.c.user_id)) is not None


async def update_factor_confirmed(tx: Tx, *, user_id: UUID) -> None:
    statement = update(totp_factors).where(totp_factors.c.user_id == user_id)
    await tx.execute(statement.values(confirmed_time=func.now()))


async def delete_factor(tx: Tx, *, user_id: UUID) -> None:
    await tx.execute(delete(totp_factors).where(totp_factors.c.user_id == user_id))


async def insert_recovery_codes(tx: Tx, *, user_id: UUID, code_hashes: Sequence[bytes]) -> None:
    await tx.execute(insert(recovery_codes), [{"user_id": user_id, "code_hash": each} for each in code_hashes])


async def delete_recovery_code(tx: Tx, *, user_id: UUID, code_hash: bytes) -> bool:
    """Use it up: whether it was there. Of two at once one gets it."""
    r = recovery_codes
    statement = delete(r).where(r.c.user_id == user_id, r.c.code_hash == code_hash)
    return await first(tx, statement.returning(r.c.user_id)) is not None


async def delete_recovery_codes(tx: Tx, *, user_id: UUID) -> None:
    await tx.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
