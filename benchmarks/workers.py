"""ValidateSession with one worker and with more: calls/s, and the processor time of each call, by who spends it.

python -m benchmarks.workers [--workers 2] [--rounds 3] [--seconds 4]

Rounds alternate. Where all cores are busy with one worker already, because the load and PostgreSQL share them, more
workers cannot add calls; what a worker can do with a core of its own then follows from its time per call.
"""

import argparse
import asyncio
import base64
import os
import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.load import run
from protos.identity.v1.sessions_pb2 import ValidateSessionRequest
from shared.log import set_up_logging
from tenantry.testing.databases import databases
from tenantry.testing.group import Group, environment_of, serving
from tenantry.testing.pair import TENANCY_KEY, running_pair
from tenantry.testing.people import People, TestPerson

METHOD = "/identity.v1.SessionService/ValidateSession"
PEOPLE = 1000
IN_FLIGHT = 64  # fewer than a worker lets wait before gRPC sheds some
CONNECTIONS = 16  # each is one worker's: with few the workers' shares would differ by chance
TICK = os.sysconf("SC_CLK_TCK")


async def main(workers: int, rounds: int, seconds: float) -> None:
    with databases() as found, ExitStack() as stack:
        async with running_pair(found) as pair:
            people = await People(pair).persons(PEOPLE)
            environment = environment_of(pair.identity_settings)
        counts = sorted({1, workers})
        groups = {n: stack.enter_context(serving("identity", environment, workers=n)) for n in counts}
        postgres = found.postgres.process.pid
        measured: dict[int, list[dict[str, float]]] = {n: [] for n in counts}
        for _ in range(rounds):
            for n, group in groups.items():
                measured[n].append(await asyncio.to_thread(measure, group, people, postgres, seconds))
    print(f"{os.cpu_count()} cores, {IN_FLIGHT} in flight over {CONNECTIONS} connections, medians of {rounds} rounds")
    print(f"{'workers':>8}{'calls/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'us of a call: worker':>22}{'PostgreSQL':>12}"
          f"{'load':>8}{'cores busy':>12}")  # fmt: skip
    for n, told in measured.items():
        m = {key: statistics.median(each[key] for each in told) for key in told[0]}
        print(f"{n:>8}{m['rate']:>10,.0f}{m['p50'] * 1e3:>9.1f}{m['p99'] * 1e3:>9.1f}{m['worker'] * 1e6:>22.0f}"
              f"{m['postgres'] * 1e6:>12.0f}{m['load'] * 1e6:>8.0f}{m['cores']:>12.2f}")  # fmt: skip


def measure(group: Group, people: list[TestPerson], postgres: int, seconds: float) -> dict[str, float]:
    plan: dict[str, Any] = {
        "address": group.address,
        "method": METHOD,
        "requests": [asked(person) for person in people],
        "holds": True,
        "in_flight": IN_FLIGHT,
        "connections": CONNECTIONS,
        "seconds": seconds,
    }
    result, before, after = run(plan, lambda: cpu([*group.pids().values()], postgres))
    calls, spent = result["right"], [late - early for late, early in zip(after, before, strict=True)]
    return {
        "rate": calls / result["seconds"],
        "p50": result["p50"],
        "p99": result["p99"],
        "worker": spent[0] / calls,
        "postgres": spent[1] / calls,
        "load": result["cpu"] / calls,
        "cores": (sum(spent) + result["cpu"]) / result["seconds"],
    }


def asked(person: TestPerson) -> dict[str, Any]:
    body = ValidateSessionRequest(token=person.token).SerializeToString()
    return {
        "body": encoded(body),
        "headers": {"x-service-key": TENANCY_KEY},
        "answer": encoded(person.user_id.encode()),
    }


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def cpu(workers: list[int], postgres: int) -> tuple[float, float]:
    """Seconds so far, of the workers and of PostgreSQL with its children."""
    children = Path(f"/proc/{postgres}/task/{postgres}/children").read_text().split()
    return sum(map(cpu_of, workers)), sum(map(cpu_of, [postgres, *map(int, children)]))


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=4)
    chosen = arguments.parse_args()
    set_up_logging("benchmark", "ERROR")
    uvloop.run(main(chosen.workers, chosen.rounds, chosen.seconds))
