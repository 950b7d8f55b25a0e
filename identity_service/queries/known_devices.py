"""SQL of the devices and sources that somebody has signed in with before, known by their hashes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, LargeBinary, Select, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from identity_service.queries.users import NOT_DELETED
from identity_service.tables import known_devices, users
from shared.database import Row, Tx, first, many

MOST = 50  # for each user: many more than somebody uses, and little to keep


def among(hashes: Sequence[bytes]) -> Select[tuple[bytes]]:
    return select(known_devices.c.device_hash).where(
        known_devices.c.device_hash == func.any(bindparam(None, list(hashes), ARRAY(LargeBinary)))
    )


async def get_user_and_known(tx: Tx, *, email_key: str, hashes: Sequence[bytes]) -> Row | None:
    """The user, and as `known` those of the hashes that they have signed in with: one statement for everybody."""
    mine = among(hashes).where(known_devices.c.user_id == users.c.user_id).correlate(users)
    known = func.array(mine.scalar_subquery()).label("known")
    return await first(tx, select(users, known).where(users.c.email_key == email_key, NOT_DELETED))


async def list_known(tx: Tx, *, user_id: UUID, hashes: Sequence[bytes]) -> list[bytes]:
    """Those of the hashes that the user has signed in with."""
    rows = await many(tx, among(hashes).where(known_devices.c.user_id == user_id))
    return [row.device_hash for row in rows]


async def upsert_known_devices(tx: Tx, *, user_id: UUID, hashes: Sequence[bytes]) -> None:
    """Used now. The caller has locked the user; beyond MOST those go that were used longest ago."""
    statement = insert(known_devices).values([{"user_id": user_id, "device_hash": each} for each in hashes])
    statement = statement.on_conflict_do_update(
        index_elements=[known_devices.c.user_id, known_devices.c.device_hash], set_={"last_used_time": func.now()}
    )
    await tx.execute(statement)
    latest_first = known_devices.c.last_used_time.desc(), known_devices.c.device_hash
    mine = known_devices.c.user_id == user_id
    beyond = select(known_devices.c.device_hash).where(mine).order_by(*latest_first).offset(MOST)
    await tx.execute(delete(known_devices).where(mine, known_devices.c.device_hash.in_(beyond)))


async def delete_known_devices(tx: Tx, *, user_id: UUID) -> None:
    """None is trusted any more: each has to sign in as an unknown one."""
    await tx.execute(delete(known_devices).where(known_devices.c.user_id == user_id))
