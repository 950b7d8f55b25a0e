"""Measure every kind of call beside an empty one, in one run: medians over alternating rounds. `make bench`.

Writes benchmarks/out/latest.json and latest.png, and exits with 1 if any answer was wrong or any call failed.
"""

import argparse
import json
import platform
import statistics
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import load, questions, report
from benchmarks.crowd import SIZES
from benchmarks.kinds import KINDS, Kind
from benchmarks.world import World, world

OUT = Path(__file__).parent / "out"
SHARE = 0.7  # of what saturates it, for the latency of a server that is busy but not drowned
STEAL = 7  # of the columns of /proc/stat
REFUSALS = [1, 8]  # CANCELLED by gRPC, RESOURCE_EXHAUSTED by us: told, as nothing should be refused at that share
WARM = {"saturated": 1.0, "alone": 0.3, "open": 1.0}  # seconds
Round = dict[str, float]


def main() -> None:
    chosen = arguments()
    try:
        with world(SIZES[chosen.size], workers=chosen.workers) as found:
            result = measure(found, [kind for kind in KINDS if kind.name in chosen.kinds], chosen)
    except load.LoadFailed as failed:
        sys.exit(f"the run does not count: {failed}")
    OUT.mkdir(exist_ok=True)
    (OUT / "latest.json").write_text(json.dumps(result, indent=1) + "\n")
    print(report.of_kinds(result))
    try:
        from benchmarks import plot
    except ImportError:
        print("no plot, as matplotlib is not installed: make bench")
    else:
        plot.draw(result, OUT / "latest.png")
        print(f"\n{OUT / 'latest.json'}\n{OUT / 'latest.png'}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small", help="1,000 or 1,000,000 memberships")
    names = [kind.name for kind in KINDS]
    parser.add_argument("--kinds", nargs="+", choices=names, default=names, metavar="KIND", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--in-flight", type=int, default=128, help="calls at a time, of the kinds that stand so many")
    parser.add_argument("--workers", type=int, default=1, help="of each service, and of the floor")
    return parser.parse_args()


def measure(found: World, kinds: list[Kind], chosen: argparse.Namespace) -> dict[str, Any]:
    plans = {kind.name: questions.plan(found, kind) for kind in kinds}
    memory, before = found.memory(), ticks()
    connections = {"connections": 4 * chosen.workers}

    def saturated(kind: Kind) -> Round:
        settings = {"in_flight": min(kind.in_flight, chosen.in_flight), "seconds": chosen.seconds, **connections}
        return one(found, kind, plans[kind.name], settings, WARM["saturated"])

    def alone(kind: Kind) -> Round:
        return one(found, kind, plans[kind.name], {"in_flight": 1, "seconds": chosen.seconds}, WARM["alone"])

    measured = {
        "saturated": alternating(saturated, kinds, chosen.rounds),
        "alone": alternating(alone, kinds, chosen.rounds),
    }

    def at_a_share(kind: Kind) -> Round:
        """Of what it does at this very moment: a virtual machine is half as fast as it was a minute ago."""
        rate = SHARE * saturated(kind)["rate"]
        settings = {"rate": rate, "seconds": chosen.seconds, "tolerated": REFUSALS, **connections}
        return one(found, kind, plans[kind.name], settings, WARM["open"])

    compared = [kind for kind in kinds if kind.name in ("floor", "check")]
    measured["open"] = alternating(at_a_share, compared, chosen.rounds)
    ended, after = found.memory(), ticks()
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "stolen": (after[STEAL] - before[STEAL]) / (sum(after) - sum(before)) if before else None,
        "memberships": found.size.memberships,
        **{name: getattr(chosen, name) for name in ("size", "rounds", "seconds", "workers")},
        "kinds": {
            kind.name: {"label": kind.label, "checks": kind.checks, "in_flight": min(kind.in_flight, chosen.in_flight)}
            | {how: rounds[kind.name] for how, rounds in measured.items() if kind.name in rounds}
            for kind in kinds
        },
        "memory": {name: [memory[name], ended[name]] for name in memory if name != "postgres"},
    }


def one(found: World, kind: Kind, plan: dict[str, Any], settings: dict[str, Any], warm: float) -> Round:
    """Seconds, and those of processor time per call."""
    result, before, after = load.run({**plan, **settings, "warm": warm}, found.cpu)
    plan["number"] = result["next_number"]
    calls = result["calls"]
    spent = {name: (after[process] - before[process]) / calls for name, process in kind.costs.items()}
    spent["postgres"] = (after["postgres"] - before["postgres"]) / calls
    return {
        "rate": calls / result["seconds"],
        "refused": 1 - result["right"] / calls,
        **{name: result[name] for name in ("p50", "p95", "p99")},
        "cpu": sum(spent.values()),
        **{f"cpu {name}": seconds for name, seconds in spent.items()},
        "cpu load": result["cpu"] / calls,
    }


def alternating(once: Callable[[Kind], Round], kinds: list[Kind], rounds: int) -> dict[str, dict[str, Any]]:
    """Medians, so that what the machine does beside it meets all of them; and the slowest and fastest rates."""
    found: dict[str, list[Round]] = {kind.name: [] for kind in kinds}
    for turn in range(rounds):
        for kind in kinds:
            found[kind.name].append(once(kind))
            if sys.stderr.isatty():
                print(f"\r\033[Kround {turn + 1} of {rounds}: {kind.label}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return {
        name: {key: statistics.median(each[key] for each in measured) for key in measured[0]}
        | {"slowest": min(each["rate"] for each in measured), "fastest": max(each["rate"] for each in measured)}
        | ({"of_floor": of_floor(measured, found["floor"])} if "floor" in found else {})
        for name, measured in found.items()
    }


def of_floor(measured: list[Round], floors: list[Round]) -> Round:
    """Medians of what each round is of the floor's in the same round."""
    pairs = list(zip(measured, floors, strict=True))
    return {key: statistics.median(of[key] / floor[key] for of, floor in pairs) for key in ("rate", "cpu", "p50")}


def ticks() -> list[int]:
    """Of all cores by what they were spent on, where there is a /proc (man proc_stat)."""
    stat = Path("/proc/stat")
    return [int(each) for each in stat.read_text().split("\n", 1)[0].split()[1:9]] if stat.exists() else []


def machine() -> str:
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    return f"{len(models)} cores, {models[0] if models else platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
