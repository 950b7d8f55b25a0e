"""`tenantry serve --workers`: start workers, follow those that die with others, replace all one by one, drain.

gRPC is never imported here, so that starting a worker cannot copy its threads' locks.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shared.log import log
from tenantry.processes import dies_with_parent

READY = b"ready"  # what a worker writes to stdout once it serves
READY_SECONDS = 60.0  # for a worker that is to replace another
KILL_AFTER = 5.0  # seconds beyond its grace that a worker has to end
# Seconds before a worker that died is followed by another: none if it had served for a while, or else the first,
# doubled each time.
STEADY = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


@dataclass(eq=False)
class Worker:
    number: int
    process: asyncio.subprocess.Process
    started: float
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    is_leaving: bool = False  # because we asked it to


class Group:
    """Workers of one service, by number; `module` is what each runs, `ended` is told the pid of each that is gone."""

    def __init__(
        self, module: str, environments: Mapping[int, Mapping[str, str]], grace: float, ended: Callable[[int], None]
    ) -> None:
        self._module, self._environments, self._grace, self._ended = module, environments, grace, ended
        self._alive: dict[Worker, asyncio.Task[None]] = {}
        self._current: dict[int, Worker] = {}
        self._pauses = dict.fromkeys(environments, 0.0)
        self._has_served = False
        self._stopping, self._asked = asyncio.Event(), asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        """Until SIGTERM or SIGINT, then 0; or until a worker dies before any has served, then its exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._asked.set)
        for worker in self._environments:
            self._current[worker] = await self._start(worker)
        replacing = asyncio.create_task(self._replace_when_asked())
        await self._stopping.wait()
        log.info("draining", workers=len(self._alive), seconds=self._grace)
        replacing.cancel()
        watching = list(self._alive.values())
        await asyncio.gather(replacing, *[self._end(worker) for worker in self._alive], return_exceptions=True)
        await asyncio.gather(*watching)
        log.info("stopped")
        return self._status

    async def _start(self, number: int) -> Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self._module,
            env={**os.environ, **self._environments[number]},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is for us: we stop them in order
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )
        worker = Worker(number, process, asyncio.get_running_loop().time())
        self._alive[worker] = asyncio.create_task(self._watch(worker))
        log.info("worker started", worker=number, pid=process.pid)
        return worker

    async def _watch(self, worker: Worker) -> None:
        assert worker.process.stdout
        while said := await worker.process.stdout.read(4096):
            if READY in said:
                self._has_served = True
                worker.ready.set()
                log.info("worker ready", worker=worker.number, pid=worker.process.pid)
        status = await worker.process.wait()
        del self._alive[worker]
        worker.ended.set()
        self._ended(worker.process.pid)
        told = {"worker": worker.number, "pid": worker.process.pid, "status": status}
        if worker.is_leaving or self._stopping.is_set():
            log.info("worker ended", **told)
            return
        log.error("worker died", **told)
        if not self._has_served:  # as it is, none will
            self._status = status if status > 0 else 1
            self._stopping.set()
        elif self._current[worker.number] is worker:
            await self._follow(worker)

    async def _follow(self, dead: Worker) -> None:
        """Start another in its place: at once, unless it died young."""
        now = asyncio.get_running_loop().time()
        pause = self._pauses[dead.number] if now - dead.started < STEADY else 0.0
        self._pauses[dead.number] = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)
        if pause:
            log.info("worker waits to be started again", worker=dead.number, seconds=pause)
        if await happens(self._stopping, pause) or self._current[dead.number] is not dead:
            return
        new = await self._start(dead.number)
        if self._current[dead.number] is dead:
            self._current[dead.number] = new
        else:  # replaced meanwhile
            await self._end(new)

    async def _replace_when_asked(self) -> None:
        """Once more for those who asked while it was under way: what they have changed may have come too late."""
        while await self._asked.wait():
            self._asked.clear()
            log.info("replacing", workers=len(self._current))
            if await self._replace_all():
                log.info("replaced", workers=len(self._current))

    async def _replace_all(self) -> bool:
        """Each by one that is ready; False if one did not become so, which leaves the others as they are."""
        for number in self._environments:
            new = await self._start(number)
            new.is_leaving = True  # nobody is to follow it, until it has its place
            if not await self._becomes_ready(new):
                log.error("a new worker does not become ready: the old ones stay", worker=number)
                await self._end(new)
                return False
            old, self._current[number] = self._current[number], new
            new.is_leaving = False
            await self._end(old)
        return True

    async def _becomes_ready(self, worker: Worker) -> bool:
        ready, ended = asyncio.create_task(worker.ready.wait()), asyncio.create_task(worker.ended.wait())
        await asyncio.wait({ready, ended}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        ended.cancel()
        return worker.ready.is_set() and not worker.ended.is_set()

    async def _end(self, worker: Worker) -> None:
        """Ask it to drain, and kill it if that takes too long."""
        worker.is_leaving = True
        if worker not in self._alive:
            return
        worker.process.terminate()
        if not await happens(worker.ended, self._grace + KILL_AFTER):
            log.error("worker killed, as it did not end", worker=worker.number, pid=worker.process.pid)
            worker.process.kill()
            await worker.ended.wait()


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether it does so in time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
