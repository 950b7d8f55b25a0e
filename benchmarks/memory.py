"""The memory of every process over 1,000,000 CheckAccess calls: python -m benchmarks.memory

Writes benchmarks/out/memory.json.
"""

import argparse
import json
import statistics
import sys
import threading
import time
from typing import Any

from benchmarks import load, questions, report
from benchmarks.__main__ import OUT
from benchmarks.crowd import SIZES
from benchmarks.kinds import KINDS
from benchmarks.world import World, world

EVERY = 2.0  # seconds between two looks
PER = 100_000  # calls that the slope is told for


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--size", choices=SIZES, default="small")
    chosen = parser.parse_args()
    try:
        with world(SIZES[chosen.size], naive=False) as found:
            result = measure(found, chosen.calls)
    except load.LoadFailed as failed:
        sys.exit(f"the run does not count: {failed}")
    OUT.mkdir(exist_ok=True)
    (OUT / "memory.json").write_text(json.dumps(result, indent=1) + "\n")
    print(report.of_memory(result))


def measure(found: World, calls: int) -> dict[str, Any]:
    started = found.memory()
    looks: list[tuple[float, dict[str, int]]] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            looks.append((time.monotonic(), found.memory()))

    plan = questions.plan(found, next(kind for kind in KINDS if kind.name == "check"))
    watching = threading.Thread(target=look)
    watching.start()
    try:
        told, began, ended = load.run({**plan, "in_flight": 128, "seconds": 3600, "calls": calls}, time.monotonic)
    finally:
        over.set()
        watching.join()
    looks.append((ended, found.memory()))
    half = [(at, sizes) for at, sizes in looks if at >= (began + ended) / 2]
    rate = told["calls"] / told["seconds"]
    return {
        "calls": told["calls"],
        "processes": {
            name: {
                "start": started[name],
                "end": looks[-1][1][name],
                "most": max(sizes[name] for _, sizes in looks),
                "slope": slope([(at * rate, sizes[name]) for at, sizes in half]) * PER,
            }
            for name in found.processes
            if name not in ("postgres", "floor")
        },
        "looks": [[round((at - began) * rate), sizes] for at, sizes in looks],
    }


def slope(points: list[tuple[float, int]]) -> float:
    """Bytes per call, by least squares."""
    return statistics.linear_regression(*zip(*points, strict=True)).slope


if __name__ == "__main__":
    main()
