"""SQL of users' names, by which members are found."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert

from shared.database import Tx
from tenancy_service.tables import user_names as n


async def upsert_user_names(tx: Tx, *, names: Sequence[Mapping[str, object]]) -> None:
    """Each with all columns; none is fine."""
    if names:
        statement = insert(n)
        new = {key: statement.excluded[key] for key in ("email_key", "name_key")}
        await tx.execute(statement.on_conflict_do_update(constraint="pk_user_names", set_=new), list(names))


async def delete_user_names(tx: Tx, *, user_ids: Sequence[UUID]) -> None:
    await tx.execute(delete(n).where(n.c.user_id == func.any(list(user_ids))))
