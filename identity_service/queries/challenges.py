"""SQL of challenges: sign-ins that have got the password right and still need a code."""

from collections.abc import Sequence

from sqlalchemy import select

from identity_service.queries.known_devices import known_among
from identity_service.queries.one_time_tokens import good
from identity_service.tables import one_time_tokens
from shared.database import Row, Tx, first

PURPOSE = "SECOND_FACTOR"
t = one_time_tokens


async def get_challenge(tx: Tx, *, token_hash: bytes, hashes: Sequence[bytes]) -> Row | None:
    """Of whom, with which device_name, and as `known` those of the hashes that they have signed in with."""
    statement = select(t.c.user_id, t.c.display_name.label("device_name"), known_among(hashes, t.c.user_id))
    return await first(tx, statement.where(good(token_hash, (PURPOSE,))))
