"""What identity's stream brings, in batches of what is at hand."""

import asyncio

from tenancy_service.identity_client import EventStream, Told

MOST = 100  # messages
AT_HAND = 0.002  # seconds
END_SECONDS = 1.0


class Batches:
    """Of one stream; `stopping` ends it."""

    def __init__(self, stream: EventStream, stopping: asyncio.Event) -> None:
        self._stream = stream
        self._stop = asyncio.create_task(stopping.wait())
        self._reading: asyncio.Task[Told | None] | None = None

    async def next(self, seconds: float) -> list[Told] | None:
        """None when the stream is over or to be ended, StreamEndedError when it broke off; [] after `seconds`."""
        batch: list[Told] = []
        while len(batch) < MOST:
            if self._reading is None:
                self._reading = asyncio.create_task(self._stream.read())
            timeout = AT_HAND if batch else seconds
            await asyncio.wait({self._reading, self._stop}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if self._stop.done():
                return None
            # An end is for the next time, after the messages before it.
            if not self._reading.done() or (batch and is_end(self._reading)):
                break
            told = self._reading.result()
            if told is None:
                return None
            batch.append(told)
            self._reading = None
        return batch

    async def close(self) -> None:
        self._stop.cancel()
        self._stream.cancel()
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=END_SECONDS)
            self._reading.cancel()


def is_end(reading: "asyncio.Task[Told | None]") -> bool:
    return reading.cancelled() or reading.exception() is not None or reading.result() is None
