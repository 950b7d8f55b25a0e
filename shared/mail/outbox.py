"""The way to put a mail into the outbox; the worker that sends it is in worker.py."""

import asyncio
from contextlib import suppress
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy import Table
from uuid_utils.compat import uuid7

from shared.database import Tx
from shared.mail import outbox_emails

Template = TypeVar("Template", bound=str)


class Outbox(Generic[Template]):
    """A mail is a row, written with the change it tells of; the worker composes it when it sends it."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._woken = asyncio.Event()

    async def put(self, tx: Tx, template: Template, address: str, **values: UUID | str | None) -> None:
        """Sent soon after the transaction commits.

        `values` are what the mail is about, by the table's columns; the others are texts that the template may
        show: no secrets.
        """
        about = {name: value for name, value in values.items() if name in self.table.c}
        shown = {name: value for name, value in values.items() if name not in about}
        await outbox_emails.insert_outbox_email(
            tx, self.table, email_id=uuid7(), template=template, address=address, about=about, shown=shown
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
