"""SQL of challenges: sign-ins that have got the password right and still need a code."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, insert, select

from identity_service.queries.known_devices import known_among
from identity_service.tables import one_time_tokens
from shared.database import Row, Tx, first, one

PURPOSE = "SECOND_FACTOR"
t = one_time_tokens


async def insert_challenge(
    tx: Tx, *, token_id: UUID, token_hash: bytes, user_id: UUID, device_name: str, lifetime: timedelta
) -> datetime:
    """When it ends."""
    statement = insert(t).values(
        token_id=token_id,
        purpose=PURPOSE,
        token_hash=token_hash,
        user_id=user_id,
        display_name=device_name,
        expire_time=func.now() + lifetime,
    )
    return (await one(tx, statement.returning(t.c.expire_time))).expire_time  # type: ignore[no-any-return]


async def get_challenge(tx: Tx, *, token_hash: bytes, hashes: Sequence[bytes]) -> Row | None:
    """Of whom, with which device_name, and as `known` those of the hashes that they have signed in with."""
    statement = select(t.c.user_id, t.c.display_name.label("device_name"), known_among(hashes, t.c.user_id))
    return await first(
        tx, statement.where(t.c.token_hash == token_hash, t.c.purpose == PURPOSE, t.c.expire_time > func.now())
    )
