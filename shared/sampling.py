"""Look once a second at what changes too often to be measured at each change.

Not at the moment of a scrape: with several workers it is another process that answers Prometheus.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from prometheus_client import Gauge

from shared import worker_metrics as measured
from shared.admission import Admission
from shared.call_metrics import CALLS_OVERLOADED
from shared.database import Database
from shared.guard import Guard

EVERY = 1.0  # seconds
MEMORY = Path("/proc/self/statm")  # in pages: all, resident, …

Sample: TypeAlias = tuple[Gauge, Callable[[], float]]


async def keep_sampling(guard: Guard, database: Database, *others: Sample) -> None:
    """Runs until cancelled."""
    measured.WORKER_START_TIME_SECONDS.set_to_current_time()
    refused = 0
    while True:
        sample(guard, database)
        refused = count_overloaded(guard.admission, refused)
        for gauge, look in others:
            gauge.set(look())
        due = time.perf_counter() + EVERY
        await asyncio.sleep(EVERY)
        measured.EVENT_LOOP_LAG_SECONDS.observe(max(0.0, time.perf_counter() - due))


def count_overloaded(admission: Admission, counted: int) -> int:
    """How many are counted now."""
    refused = admission.refused
    CALLS_OVERLOADED.inc(refused - counted)
    return refused


def sample(guard: Guard, database: Database) -> None:
    measured.CALLS_UNDER_WAY.set(guard.under_way.calls - guard.under_way.streams)
    measured.STREAMS_UNDER_WAY.set(guard.under_way.streams)
    for (pool, state), connections in database.connections().items():
        measured.DATABASE_CONNECTIONS.labels(pool, state).set(connections)
    measured.WORKER_CPU_SECONDS.set(time.process_time())
    with suppress(FileNotFoundError):
        resident = int(MEMORY.read_text().split()[1])
        measured.WORKER_MEMORY_BYTES.set(resident * os.sysconf("SC_PAGE_SIZE"))
