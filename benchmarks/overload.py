"""Three times what can be answered, for a minute: what is still answered, how late, and what becomes of the rest.

`python -m benchmarks.overload`, with --kinds, --seconds and --times, and --gateway for calls that come through Envoy.
For each kind of call: what saturates it (the peak), then 70 % of the peak (normal), then calls that begin at three
times the peak's rate whatever becomes of the others, then 70 % again. Beside each, 50 times a second from processes of
their own: health, ValidateSession and CheckAccess, always direct. Everything shares this machine's cores, the load too:
its share of them is shown, and is missing.
"""

import argparse
import base64
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from benchmarks import load, questions, ways
from benchmarks.crowd import SIZES
from benchmarks.kinds import KINDS, Kind
from benchmarks.world import World, world

NORMAL = 0.7  # of the peak
EVERY = 50.0  # calls/s of a light client
LEVEL = 10.0  # seconds of each measurement but the overload
CONNECTIONS = 16  # with as many streams as a server allows, far more than it lets wait
GATHER = 0.001  # seconds: so many calls would cost the load half of a core that the services lack
PATIENCE = {"grpc-timeout": "5S"}
# CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE
TOLERATED = {"1": "shed by gRPC (CANCELLED)", "4": "too late", "8": "RESOURCE_EXHAUSTED", "14": "UNAVAILABLE"}
SERVING = ("tenancy", "identity", "postgres", "gateway")  # whose processor time is told
HEALTH = {
    "method": "/grpc.health.v1.Health/Check",
    "requests": [{"body": "", "headers": {}, "answer": base64.b64encode(b"\x08\x01").decode()}],  # SERVING
}
Result = dict[str, Any]


def main() -> None:
    names = {kind.name: kind for kind in KINDS}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=names, default=["check", "batch", "list", "create"])
    parser.add_argument("--seconds", type=float, default=60, help="of overload")
    parser.add_argument("--times", type=float, default=3, help="the peak")
    parser.add_argument("--gateway", action="store_true", help="but those that need a service's key")
    chosen = parser.parse_args()
    try:
        with world(SIZES["small"], naive=False) as found, ways.gateways(found) if chosen.gateway else nullcontext():
            for name in chosen.kinds:
                kind = replace(names[name], server="gateway") if chosen.gateway else names[name]
                overload(found, kind, chosen.seconds, chosen.times)
    except load.LoadFailed as failed:
        sys.exit(f"the run does not count: {failed}")


def overload(found: World, kind: Kind, seconds: float, times: float) -> None:
    plan = {**questions.plan(found, kind), "tolerated": [*TOLERATED], "connections": CONNECTIONS, "gather": GATHER}
    for request in plan["requests"]:
        request["headers"] = request["headers"] | PATIENCE
    light = light_clients(found, kind)
    peak, _, _ = run(found, plan, {"in_flight": kind.in_flight, "seconds": LEVEL, "connections": 4}, {})
    most = peak["right"] / peak["seconds"]
    normal, beside_normal, _ = run(found, plan, {"rate": most * NORMAL, "seconds": LEVEL}, light)
    print(f"\n{kind.label}: peak {most:,.0f}/s; at {NORMAL:.0%} of it p99 {milliseconds(normal['p99'])}")
    memory = found.memory()
    drowned, beside, cpu = run(found, plan, {"rate": most * times, "seconds": seconds, "timeline": True}, light)
    grown = {name: (memory[name] / 2**20, size / 2**20) for name, size in found.memory().items() if name in cpu}
    after, _, _ = run(found, plan, {"rate": most * NORMAL, "seconds": LEVEL, "timeline": True, "warm": 0.0}, {})
    right = sum(second["right"] for second in drowned["timeline"][: int(seconds)])
    show(f"{times:g} times the peak for {seconds:g} s", [
        ("answered, of the peak", f"{right / int(seconds) / most:.0%}"),
        ("their p99", f"{milliseconds(drowned['p99'])}, {drowned['p99'] / normal['p99']:.1f} times the normal"),
        *[(TOLERATED.get(status, status), f"{each['count'] / drowned['calls']:.0%} of the calls, "
           f"p50 {milliseconds(each['p50'])}, p99 {milliseconds(each['p99'])}")
          for status, each in sorted(drowned["others"].items())],
        *[(f"p99 of {name}", f"{milliseconds(each['p99'])}, normally {milliseconds(beside_normal[name]['p99'])}; "
           f"{each['right'] / each['calls']:.1%} answered") for name, each in beside.items()],
        ("cores", ", ".join(f"{name} {each / seconds:.2f}" for name, each in cpu.items())),
        ("MiB before and after", ", ".join(f"{name} {a:.0f} and {b:.0f}" for name, (a, b) in grown.items())),
        ("normal again after", recovery(after["timeline"], normal["p99"])),
    ])  # fmt: skip


def light_clients(found: World, kind: Kind) -> dict[str, Result]:
    """Plans of what else is asked meanwhile."""
    by_name = {each.name: each for each in KINDS}
    beside = {"health": {**HEALTH, "address": found.addresses["tenancy" if kind.server == "gateway" else kind.server]}}
    for name in ("validate", "check"):
        if name != kind.name:
            beside[by_name[name].label] = questions.plan(found, by_name[name])
    return {name: {**plan, "rate": EVERY, "connections": 1, "tolerated": [*TOLERATED]} for name, plan in beside.items()}


def run(
    found: World, plan: Result, settings: Result, light: dict[str, Result]
) -> tuple[Result, dict[str, Result], dict[str, float]]:
    """What was measured of it, of the light clients beside it, and seconds of processor time."""
    with ThreadPoolExecutor(1 + len(light)) as threads:
        main = threads.submit(load.run, {**plan, "warm": 1.0, **settings}, found.cpu)
        others = {
            name: threads.submit(load.run, {**each, "warm": 1.0, "seconds": settings["seconds"]}, found.cpu)
            for name, each in light.items()
        }
        result, before, after = main.result()
        beside = {name: each.result()[0] for name, each in others.items()}
    plan["number"] = result.get("next_number", 0)
    cpu: dict[str, float] = {name: after[name] - before[name] for name in SERVING if name in after}
    return result, beside, {**cpu, "the load": result["cpu"]}


def recovery(timeline: list[Result], normal: float) -> str:
    """The end of the last second whose p99 was more than twice the normal, or that refused anybody."""
    bad = [n for n, each in enumerate(timeline) if each["others"] or (each["p99"] or 0) > 2 * normal]
    return f"{bad[-1] + 1} s" if bad else "less than 1 s"


def milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"


def show(title: str, lines: list[tuple[str, str]]) -> None:
    print(f"  {title}")
    for name, value in lines:
        print(f"    {name:34}{value}", flush=True)


if __name__ == "__main__":
    main()
