"""The way to put a mail into the outbox; the worker that sends it is in worker.py."""

import asyncio
from contextlib import suppress
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

    def __init__(self) -> None:
        self._woken = asyncio.Event()

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
        """`shown` is what the template may show: no secrets. Sent soon after the transaction commits.

        Ours show `ip`. `sign_up` and `change_email` need the `token_id` of a token without a hash.
        """
        await outbox_emails.insert_outbox_email(
            tx,
            email_id=uuid7(),
            template=template,
            address=address,
            user_id=user_id,
            token_id=token_id,
            shown=shown,
        )
        self.wake()

    def wake(self) -> None:
        self._woken.set()

    async def was_woken(self, seconds: float) -> bool:
        """True as soon as somebody wakes, False if nobody does for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        was = self._woken.is_set()
        self._woken.clear()
        return was
