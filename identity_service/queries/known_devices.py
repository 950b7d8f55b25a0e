"""SQL of the devices and sources that somebody has signed in with before, known by their hashes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, LargeBinary, bindparam, delete, func, select

from identity_service.tables import known_devices
from shared.database import Tx, send

MOST = 50  # for each user: many more than somebody uses, and little to keep

# For `person (user_id)`, who is locked. `forgotten` does not see what `remembered` writes.
REMEMBERED = f"""
remembered AS (
  INSERT INTO known_devices (user_id, device_hash)
  SELECT user_id, unnest(%(hashes)s::bytea[]) FROM person
      ON CONFLICT (user_id, device_hash) DO UPDATE SET last_used_time = now()),
forgotten AS (
  DELETE FROM known_devices
   WHERE user_id = (SELECT user_id FROM person)
     AND device_hash IN (
         SELECT device_hash
           FROM known_devices
          WHERE user_id = (SELECT user_id FROM person) AND device_hash <> ALL (%(hashes)s::bytea[])
          ORDER BY last_used_time DESC, device_hash
         OFFSET {MOST} - cardinality(%(hashes)s::bytea[])))"""  # noqa: S608 - a number of our own
REMEMBER = f"WITH person AS (SELECT %(user_id)s::uuid AS user_id),{REMEMBERED} SELECT"


def known_among(hashes: Sequence[bytes], user_id: ColumnElement[UUID]) -> ColumnElement[list[bytes]]:
    """As `known` those of the hashes that the user has signed in with."""
    one_of_them = known_devices.c.device_hash == func.any(bindparam(None, list(hashes), ARRAY(LargeBinary)))
    mine = select(known_devices.c.device_hash).where(known_devices.c.user_id == user_id, one_of_them)
    return func.array(mine.scalar_subquery()).label("known")


async def upsert_known_devices(tx: Tx, *, user_id: UUID, hashes: Sequence[bytes]) -> None:
    """Used now; beyond MOST those that were used longest ago are forgotten. The caller has locked the user."""
    await send(tx, REMEMBER, {"user_id": user_id, "hashes": list(hashes)})


async def delete_known_devices(tx: Tx, *, user_id: UUID) -> None:
    """None is trusted any more: each has to sign in as an unknown one."""
    await tx.execute(delete(known_devices).where(known_devices.c.user_id == user_id))
