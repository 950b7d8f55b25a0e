"""When a service is ready: its database answers, and has once been prepared by this process."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.database import Database, Tx
from shared.log import log


class Readiness:
    """`prepare` brings the database into step with this process, such as the epoch of its events after a restore."""

    def __init__(self, database: Database, prepare: Callable[[Tx], Awaitable[None]]) -> None:
        self._database, self._prepare = database, prepare
        self._is_prepared = False

    async def is_ready(self) -> bool:
        if not self._is_prepared and await self._database.is_ready():
            await self._try_to_prepare()
        return self._is_prepared and await self._database.is_ready()

    async def _try_to_prepare(self) -> None:
        try:
            async with self._database.transaction() as tx:
                await self._prepare(tx)
            self._is_prepared = True
        except Exception as error:
            log.error("the database is not as it should be; has it been migrated?", exc_info=error)
            await asyncio.sleep(2)  # not a line for every look at the database
