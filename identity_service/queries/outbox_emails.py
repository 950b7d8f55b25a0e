"""SQL of mails to be sent."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import insert

from identity_service.tables import outbox_emails
from shared.database import Tx


async def insert_outbox_email(
    tx: Tx,
    *,
    email_id: UUID,
    template: str,
    address: str,
    user_id: UUID | None,
    token_id: UUID | None,
    shown: Mapping[str, str],
) -> None:
    """`shown` is what the template may show beside the user's name: no secrets."""
    statement = insert(outbox_emails).values(
        email_id=email_id, template=template, address=address, user_id=user_id, token_id=token_id, shown=dict(shown)
    )
    await tx.execute(statement)
