"""Run it: medians over alternating rounds in one run, with the ratios to the floor. SECONDS and ROUNDS by flags."""

import argparse
import base64
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass

from benchmarks.world import World, world

CHECK = "/tenancy.v1.AccessService/CheckAccess"
TARGETS = {"floor": "/floor.v1.Floor/Nothing", "batched": CHECK, "naive": CHECK}
WORKING = {
    "floor": ("floor",),
    "batched": ("batched", "identity", "postgres"),
    "naive": ("naive", "identity", "postgres"),
}
LABELS = {"floor": "no-op RPC (the floor)", "batched": "CheckAccess", "naive": "CheckAccess, BATCHING=off"}


@dataclass
class Round:
    rate: float
    cpu: float  # seconds per call of all server processes
    client_cpu: float
    p50: float
    p99: float


def measure(found: World, name: str, in_flight: int, seconds: float) -> Round:
    plan = {
        "address": found.addresses[name],
        "method": TARGETS[name],
        "expected": base64.b64encode(b"\x08\x01").decode(),  # allowed: true
        "requests": [(base64.b64encode(body).decode(), token) for body, token in found.requests],
        "seconds": seconds,
        "in_flight": in_flight,
    }
    command = [sys.executable, "-m", "benchmarks.load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdin is not None
        assert load.stdout is not None
        load.stdin.write(json.dumps(plan) + "\n")
        load.stdin.flush()
        load.stdout.readline()  # warm
        before = found.cpu()
        load.stdin.write("go\n")
        load.stdin.flush()
        line = load.stdout.readline()
        after = found.cpu()
    if not line:
        sys.exit(f"{LABELS[name]}: a call failed or was answered wrongly; the run does not count")
    told = json.loads(line)
    calls = told["calls"]
    cpu = sum(after[process] - before[process] for process in WORKING[name])
    return Round(calls / told["seconds"], cpu / calls, told["cpu"] / calls, told["p50"], told["p99"])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=4)
    chosen = arguments.parse_args()
    with world() as found:
        for in_flight in (128, 1):
            rounds: dict[str, list[Round]] = {name: [] for name in TARGETS}
            for _ in range(chosen.rounds):
                for name in TARGETS:
                    rounds[name].append(measure(found, name, in_flight, chosen.seconds))
            show(in_flight, rounds)


def show(in_flight: int, rounds: dict[str, list[Round]]) -> None:
    print(f"\n{in_flight} in flight, medians of {len(rounds['floor'])} alternating rounds (slowest-fastest)")
    heads = (
        f"{'calls/s':>22}{'of floor':>10}{'CPU us/call':>13}{'of floor':>10}{'p50 ms':>9}{'p99 ms':>9}{'client us':>11}"
    )
    print(" " * 28 + heads)
    floor_rate = statistics.median(each.rate for each in rounds["floor"])
    floor_cpu = statistics.median(each.cpu for each in rounds["floor"])
    for name, measured in rounds.items():
        rates = [each.rate for each in measured]
        rate, cpu = statistics.median(rates), statistics.median(each.cpu for each in measured)
        spread = f"{rate:,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"
        p50, p99 = (statistics.median(getattr(each, key) for each in measured) * 1000 for key in ("p50", "p99"))
        client = statistics.median(each.client_cpu for each in measured) * 1e6
        print(
            f"{LABELS[name]:28}{spread:>22}{rate / floor_rate:>10.2f}{cpu * 1e6:>13.0f}{cpu / floor_cpu:>10.2f}"
            f"{p50:>9.2f}{p99:>9.2f}{client:>11.0f}"
        )


if __name__ == "__main__":
    main()
