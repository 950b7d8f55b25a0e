"""Do reads fail while workers are replaced or killed? 20,000 of them over SIGHUPs, as many over kill -9.

python -m benchmarks.rolling [--reads 20000] [--times 3] [--workers 2] [--connections 8] [--in-flight 4]
"""

import argparse
import asyncio
import os
import signal
import time

import uvloop

from benchmarks.reads import reading
from shared.log import set_up_logging
from tenantry.testing.databases import databases
from tenantry.testing.group import Group, environment_of, serving
from tenantry.testing.pair import TENANCY_KEY, running_pair
from tenantry.testing.people import People

PAUSE = 0.5  # seconds between two disturbances


async def main(reads: int, least: int, workers: int, connections: int, in_flight: int) -> bool:
    went_well = True
    with databases() as found:
        async with running_pair(found) as pair:
            person = await People(pair).person()
            with serving("identity", environment_of(pair.identity_settings), workers=workers) as group:
                for name, disturb in (("nothing", rest), ("SIGHUP", replace), ("kill -9", kill)):
                    async with reading(
                        group.address, person.token, person.user_id, TENANCY_KEY,
                        connections=connections, in_flight=in_flight,
                    ) as readers:  # fmt: skip
                        times, start, before = 0, time.monotonic(), readers.answered
                        while readers.answered < before + reads or times < least:
                            await asyncio.to_thread(disturb, group)
                            times += 1
                            await asyncio.sleep(PAUSE)
                        rate = (readers.answered - before) / (time.monotonic() - start)
                    print(
                        f"{name}, {times} times: {readers.answered:,} reads, {rate:,.0f}/s, "
                        f"{readers.failures.total()} failed {dict(readers.failures) or ''}",
                        flush=True,
                    )
                    went_well = went_well and not readers.failures
    return went_well


def rest(_group: Group) -> None:
    """To compare with."""


def replace(group: Group) -> None:
    before = len(group.told("replaced"))
    group.process.send_signal(signal.SIGHUP)
    group.until("replaced", before + 1)


def kill(group: Group) -> None:
    """The first, whenever it serves."""
    before = len(group.told("worker ready"))
    os.kill(next(iter(group.pids().values())), signal.SIGKILL)
    group.until("worker ready", before + 1)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--reads", type=int, default=20_000)
    arguments.add_argument("--times", type=int, default=3)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--connections", type=int, default=8)
    arguments.add_argument("--in-flight", type=int, default=4)
    chosen = arguments.parse_args()
    set_up_logging("benchmark", "ERROR")
    raise SystemExit(
        not uvloop.run(main(chosen.reads, chosen.times, chosen.workers, chosen.connections, chosen.in_flight))
    )
