"""The worker that sends what is in the outbox, and the way to put something into it."""

from typing import Literal, TypeAlias
from uuid import UUID

from uuid_utils.compat import uuid7

from identity_service.queries import outbox_emails
from shared.database import Tx

Template: TypeAlias = Literal[
    "sign_up",
    "verify_email",
    "reset_password",
    "change_email",
    "email_change_started",
    "email_changed",
    "password_changed",
    "second_factor_changed",
]


class Outbox:
    """A mail is a row, written with the change it tells of; the worker composes it when it sends it."""

    async def put(
        self,
        tx: Tx,
        template: Template,
        address: str,
        *,
        user_id: UUID | None = None,
        token_id: UUID | None = None,
        **shown: str,
    ) -> None:
        """`shown` is what the template may show: no secrets. Sent soon after the transaction commits."""
        await outbox_emails.insert_outbox_email(
            tx,
            email_id=uuid7(),
            template=template,
            address=address,
            user_id=user_id,
            token_id=token_id,
            shown=shown,
        )
