"""Wait for what no event tells."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool]) -> None:
    """Looked at in each turn of the event loop, for ten seconds at most."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a count is no event
            await asyncio.sleep(0)
