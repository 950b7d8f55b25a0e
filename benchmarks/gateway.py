"""What the gateway costs: a check direct, through Envoy as gRPC and as REST, and an API that it protects.

python -m benchmarks.gateway [--size small] [--rounds 5] [--seconds 1.5]

Two minutes, once `make set-up-gateway` has installed Envoy. Writes benchmarks/out/gateway.json; exits with 1 if any
answer was wrong or any call failed.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

from benchmarks import load, report, ways
from benchmarks.__main__ import OUT, alternating, machine, one
from benchmarks.crowd import SIZES
from benchmarks.kinds import Kind
from benchmarks.world import World, world

IN_FLIGHT = {"alone": 1, "many": 32}
WARM = 0.5  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small", help="1,000 or 1,000,000 memberships")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    chosen = parser.parse_args()
    try:
        with world(SIZES[chosen.size], naive=False) as found, ways.gateways(found):
            result = measure(found, chosen.rounds, chosen.seconds)
    except load.LoadFailed as failed:
        sys.exit(f"the run does not count: {failed}")
    OUT.mkdir(exist_ok=True)
    (OUT / "gateway.json").write_text(json.dumps(result, indent=1) + "\n")
    print(report.of_ways(result))


def measure(found: World, rounds: int, seconds: float) -> dict[str, Any]:
    plans = {way.name: ways.plan(found, way) for way in ways.WAYS}
    measured = {}
    for how, in_flight in IN_FLIGHT.items():

        def once(way: Kind, in_flight: int = in_flight) -> dict[str, float]:
            return one(found, way, plans[way.name], {"in_flight": in_flight, "seconds": seconds}, WARM)

        measured[how] = alternating(once, ways.WAYS, rounds)
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "memberships": found.size.memberships,
        "rounds": rounds,
        "seconds": seconds,
        "in_flight": IN_FLIGHT,
        "ways": {way.name: {"label": way.label} | {how: each[way.name] for how, each in measured.items()}
                 for way in ways.WAYS},
    }  # fmt: skip


if __name__ == "__main__":
    main()
