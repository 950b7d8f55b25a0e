"""SQL of users whom identity is to be asked about once more."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, except_, func, insert, select, union

from shared.database import Row, Tx, many
from tenancy_service.tables import organization_members as m
from tenancy_service.tables import user_names as n
from tenancy_service.tables import users_to_check as c


async def insert_user_to_check(tx: Tx, *, user_id: UUID) -> None:
    """A row each time: one that is looked at meanwhile may be too early for this transaction."""
    await tx.execute(insert(c).values(user_id=user_id))


async def insert_all_users_to_check(tx: Tx) -> None:
    """Whoever is a member anywhere, or known by name, unless they are to be checked anyway."""
    known = union(select(m.c.user_id), select(n.c.user_id))
    await tx.execute(insert(c).from_select(["user_id"], except_(known, select(c.c.user_id))))


async def list_newest_members(tx: Tx, *, limit: int) -> list[UUID]:
    """Of all organizations."""
    statement = select(m.c.user_id).distinct().order_by(m.c.user_id.desc()).limit(limit)
    return [row.user_id for row in await many(tx, statement)]


async def list_users_to_check(tx: Tx, *, limit: int) -> list[Row]:
    """Longest waiting first."""
    return await many(tx, select(c).order_by(c.c.check_id).limit(limit))


async def delete_users_to_check(tx: Tx, *, check_ids: Sequence[int]) -> None:
    await tx.execute(delete(c).where(c.c.check_id == func.any(list(check_ids))))
