"""SQL of the devices and sources that somebody has signed in with before, known by their hashes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, LargeBinary, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from identity_service.queries.users import NOT_DELETED
from identity_service.tables import known_devices, users
from shared.database import Row, Tx, first

MOST = 50  # for each user: many more than somebody uses, and little to keep


def known_among(hashes: Sequence[bytes], user_id: ColumnElement[UUID]) -> ColumnElement[list[bytes]]:
    """As `known` those of the hashes that the user has signed in with."""
    one_of_them = known_devices.c.device_hash == func.any(bindparam(None, list(hashes), ARRAY(LargeBinary)))
    mine = select(known_devices.c.device_hash).where(known_devices.c.user_id == user_id, one_of_them)
    return func.array(mine.scalar_subquery()).label("known")


async def get_user_and_known(tx: Tx, *, email_key: str, hashes: Sequence[bytes]) -> Row | None:
    """The user, and as `known` those of the hashes that they have signed in with: one statement for everybody."""
    statement = select(users, known_among(hashes, users.c.user_id))
    return await first(tx, statement.where(users.c.email_key == email_key, NOT_DELETED))


async def upsert_known_devices(tx: Tx, *, user_id: UUID, hashes: Sequence[bytes]) -> None:
    """Used now."""
    statement = insert(known_devices).values([{"user_id": user_id, "device_hash": each} for each in hashes])
    statement = statement.on_conflict_do_update(
        index_elements=[known_devices.c.user_id, known_devices.c.device_hash], set_={"last_used_time": func.now()}
    )
    await tx.execute(statement)


async def delete_oldest_known_devices(tx: Tx, *, user_id: UUID) -> None:
    """Beyond MOST those that were used longest ago. The caller has locked the user."""
    latest_first = known_devices.c.last_used_time.desc(), known_devices.c.device_hash
    mine = known_devices.c.user_id == user_id
    beyond = select(known_devices.c.device_hash).where(mine).order_by(*latest_first).offset(MOST)
    await tx.execute(delete(known_devices).where(mine, known_devices.c.device_hash.in_(beyond)))


async def delete_known_devices(tx: Tx, *, user_id: UUID) -> None:
    """None is trusted any more: each has to sign in as an unknown one."""
    await tx.execute(delete(known_devices).where(known_devices.c.user_id == user_id))
