"""An outbox with nobody at work on it, for tests that run workers of their own or stop them halfway."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import psycopg

from identity_service.constraint_errors import CONSTRAINT_ERRORS
from identity_service.mail.compose import Composer
from identity_service.mail.texts import Template
from identity_service.tables import outbox_emails
from shared.database import Database
from shared.mail.outbox import Outbox
from shared.mail.worker import Worker
from tenantry.testing.databases import Databases
from tenantry.testing.pair import identity_settings
from tests.identity.conftest import Rows

SECONDS = 10.0


@dataclass
class OwnOutbox:
    url: str
    database: Database
    outbox: Outbox[Template]
    rows: Rows

    async def put(self, address: str, template: Template = "password_changed", **values: Any) -> None:
        async with self.database.transaction() as tx:
            await self.outbox.put(tx, template, address, **values)

    def worker(self, **settings: object) -> Worker:
        of_service = identity_settings(self.url, **settings)
        return Worker.of(of_service, self.database, self.outbox, Composer(of_service))

    @asynccontextmanager
    async def working(self, **settings: object) -> AsyncIterator[Worker]:
        worker = self.worker(**settings)
        worker.start()
        try:
            yield worker
        finally:
            await worker.close()

    async def row(self, address: str) -> dict[str, Any]:
        cursor = await self.rows.execute(
            """SELECT attempts, sent_time IS NOT NULL AS sent, dead_time IS NOT NULL AS dead, last_error,
                      extract(epoch FROM next_attempt_time - now())::float AS due_in
                 FROM outbox_emails WHERE address = %s""",
            (address,),
        )
        row = await cursor.fetchone()
        assert row is not None
        assert cursor.description is not None
        return dict(zip([column.name for column in cursor.description], row, strict=True))

    async def becomes(self, address: str, **wanted: object) -> dict[str, Any]:
        """The row, as soon as it is as wanted."""
        return await self._row_when(address, lambda row: wanted.items() <= row.items())

    async def failed(self, address: str) -> dict[str, Any]:
        """The row, as soon as an attempt has failed."""
        return await self._row_when(address, lambda row: row["last_error"] is not None)

    async def _row_when(self, address: str, is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while not is_wanted(row := await self.row(address)):
            assert time.monotonic() < deadline, row
            await asyncio.sleep(0.01)
        return row

    async def make_due(self, address: str) -> None:
        """As if its time had come."""
        await self.rows.execute("UPDATE outbox_emails SET next_attempt_time = now() WHERE address = %s", (address,))
        self.outbox.wake()


@asynccontextmanager
async def own_outbox(databases: Databases) -> AsyncIterator[OwnOutbox]:
    url = databases.service_url("identity", databases.copy("identity"))
    database = Database(url, pool_size=5, name="test", constraint_errors=CONSTRAINT_ERRORS)
    try:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as rows:
            yield OwnOutbox(url, database, Outbox(outbox_emails), cast(Rows, rows))
    finally:
        await database.close()


def an_address(name: str = "ada") -> str:
    return f"{name}.{uuid4().hex[:10]}@example.com"
