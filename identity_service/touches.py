"""Note when sessions were last seen, behind the answers: one statement for many, at most once a minute each."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from itertools import islice

from identity_service.queries import validation as queries
from shared.database import Database
from shared.log import log

EVERY = timedelta(minutes=1)
GATHER = 0.1  # seconds that touches are collected for
MOST = 1000


class Touches:
    def __init__(self, database: Database, idle: timedelta) -> None:
        self._database = database
        self._idle = idle
        # With a very short idle timeout a minute would be too late.
        self.every = min(EVERY, idle / 2)
        self._due: set[str] = set()
        self._writing: asyncio.Task[None] | None = None

    def note(self, sids: Iterable[str]) -> None:
        """Write them soon; a failure is logged, and each is due again with its next question."""
        self._due.update(sids)
        if self._due and self._writing is None:
            self._writing = asyncio.create_task(self._write_all())

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            await self._writing

    async def _write_all(self) -> None:
        try:
            while self._due:
                await asyncio.sleep(GATHER)
                some = list(islice(self._due, MOST))
                self._due.difference_update(some)
                async with self._database.transaction() as tx:
                    await queries.update_last_seen(tx, sids=some, idle=self._idle, touch_every=self.every)
        except Exception as error:
            log.warning("sessions could not be touched", exc_info=error)
            self._due.clear()
        finally:
            self._writing = None
