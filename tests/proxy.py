"""A TCP proxy that delays nothing, freezes everything or cuts the line: a network that fails on demand."""

import asyncio
from types import TracebackType


class Proxy:
    """Listens on `address`; frozen it keeps connections and passes nothing, like a black hole that acknowledges."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.address = ""
        self.holds = asyncio.Event()  # something, because it is frozen
        self._open, self._open_for_answers = asyncio.Event(), asyncio.Event()
        self.thaw()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def freeze(self) -> None:
        self._open.clear()
        self._open_for_answers.clear()

    def freeze_answers(self) -> None:
        """What is sent still arrives."""
        self._open_for_answers.clear()

    def thaw(self) -> None:
        self._open.set()
        self._open_for_answers.set()

    def cut(self) -> None:
        """Reset every connection there is; new ones pass."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.thaw()
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        host, _, port = self.target.rpartition(":")
        try:
            away_reader, away_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(away_writer)
        for source, sink, gate in (
            (reader, away_writer, self._open),
            (away_reader, writer, self._open_for_answers),
        ):
            task = asyncio.create_task(self._pass(source, sink, gate))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, gate: asyncio.Event) -> None:
        try:
            while data := await source.read(65536):
                if not gate.is_set():
                    self.holds.set()
                await gate.wait()
                if sink.is_closing():  # cut meanwhile
                    return
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()
            self._writers.discard(sink)
