"""SQL of users' names and addresses: only to find members by them. What is shown is asked of identity anew."""

import unicodedata
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert

from shared.database import Tx
from tenancy_service.tables import user_names as n


def comparable(text: str) -> str:
    """A name or an address in any case of its letters, and however they are composed."""
    return unicodedata.normalize("NFC", text).lower()


async def insert_user_name(tx: Tx, *, user_id: UUID, email: str, display_name: str) -> None:
    """Unless they are there: what identity's events have told is not older."""
    row = {"user_id": user_id, "email_key": comparable(email), "name_key": comparable(display_name)}
    await tx.execute(insert(n).values(row).on_conflict_do_nothing())


async def upsert_user_names(tx: Tx, *, names: Sequence[Mapping[str, object]]) -> None:
    """Each with all columns; none is fine."""
    if names:
        statement = insert(n)
        new = {key: statement.excluded[key] for key in ("email_key", "name_key")}
        await tx.execute(statement.on_conflict_do_update(constraint="pk_user_names", set_=new), list(names))


async def delete_user_names(tx: Tx, *, user_ids: Sequence[UUID]) -> None:
    await tx.execute(delete(n).where(n.c.user_id == func.any(list(user_ids))))
