"""Tables of what was measured, readable in a terminal and as Markdown: python -m benchmarks.report [FILE ...]"""

import json
import sys
from pathlib import Path
from typing import Any

MEBI = 2**20


def of_kinds(result: dict[str, Any]) -> str:
    """The benchmark of all kinds; milliseconds, and microseconds of processor time per call."""
    kinds = result["kinds"]
    head = (
        f"{result['memberships']:,} memberships, {result['workers']} worker{'s' * (result['workers'] > 1)} of each"
        f" service; medians of {result['rounds']} alternating rounds of {result['seconds']:g} s; {result['machine']};"
        f" {result['when'][:10]}"
    )
    if result.get("stolen") is not None:
        head += f"; other machines on its host took {result['stolen']:.2%} of its processor time"
    rates, costs, times = [], [], []
    for each in kinds.values():
        many, alone, most = each["saturated"], each["alone"], str(each["in_flight"])
        rate, cost = many["rate"], cpu(many)
        of_floor = {how: each[how].get("of_floor", {}) for how in ("saturated", "alone")}
        spread = f"{many['slowest']:,.0f}-{many['fastest']:,.0f}"
        checks = number(rate * each["checks"]) if each["checks"] > 1 else ""
        rates.append([each["label"], most, number(rate), spread, ratio(of_floor["saturated"].get("rate")), checks])
        parts = [many.get(f"cpu {name}") for name in ("tenancy", "identity", "postgres")]
        costs.append([each["label"], *map(micro, parts), micro(cost), ratio(of_floor["saturated"].get("cpu"))])
        costs[-1].append(micro(many["cpu load"]))
        times.append([each["label"], *latencies(alone), ratio(of_floor["alone"].get("p50"))])
        times[-1] += [most, *latencies(many)]
    tables = [
        head,
        table(["", "in flight", "calls/s", "slowest-fastest", "of the floor", "checks/s"], rates),
        table(["CPU us per call", "tenancy", "identity", "PostgreSQL", "together", "of the floor", "load"], costs),
        table(["milliseconds", "alone: p50", "p95", "p99", "of the floor", "in flight", "p50", "p95", "p99"], times),
        at_a_share(kinds),
        table(
            ["memory of a worker, MiB", "at the start", "at the end"],
            [[name, *(number(size / MEBI) for size in sizes)] for name, sizes in result["memory"].items()],
        ),
    ]
    return "\n\n".join(filter(None, tables))


def at_a_share(kinds: dict[str, Any]) -> str:
    rows = [
        [each["label"], number(each["open"]["rate"]), *latencies(each["open"]), f"{each['open']['refused']:.1%}"]
        for each in kinds.values()
        if "open" in each
    ]
    return table(["at 70 % of that, arriving at random", "calls/s", "p50 ms", "p95 ms", "p99 ms", "refused"], rows)


def of_growth(result: dict[str, Any]) -> str:
    rows = []
    for each in result["calls"]:
        small, large = each["small"]["p50"], each["large"]["p50"]
        rows.append([each["label"], f"{small * 1000:.2f}", f"{large * 1000:.2f}", ratio(large / small)])
    heads = [f"{count:,} memberships, p50 ms" for count in result["memberships"]]
    return f"{result['machine']}; {result['when'][:10]}\n\n" + table(["one call at a time", *heads, "ratio"], rows)


def of_ways(result: dict[str, Any]) -> str:
    """The benchmark of the gateway; milliseconds, and microseconds of processor time per call."""
    head = (
        f"{result['memberships']:,} memberships; medians of {result['rounds']} alternating rounds of"
        f" {result['seconds']:g} s; {result['machine']}; {result['when'][:10]}"
    )
    times, costs = [], []
    for each in result["ways"].values():
        alone, many = each["alone"], each["many"]
        spread = f"{many['slowest']:,.0f}-{many['fastest']:,.0f}"
        both = [f"{measured[name] * 1000:.2f}" for measured in (alone, many) for name in ("p50", "p99")]
        times.append([each["label"], *both[:2], number(alone["rate"]), *both[2:], number(many["rate"]), spread])
        parts = [many.get(f"cpu {name}") for name in ("Envoy", "tenancy", "identity", "postgres", "API")]
        costs.append([each["label"], *map(micro, parts), micro(cpu(many)), micro(many["cpu load"])])
    of, among = (f"{result['in_flight'][how]} in flight: p50 ms" for how in ("alone", "many"))
    return "\n\n".join(
        [
            head,
            table(["", of, "p99", "calls/s", among, "p99", "calls/s", "slowest-fastest"], times),
            table(
                ["CPU us per call", "Envoy", "tenancy", "identity", "PostgreSQL", "API", "together", "load"],
                costs,
            ),
        ]
    )


def of_memory(result: dict[str, Any]) -> str:
    rows = [
        [name, *(f"{each[key] / MEBI:.1f}" for key in ("start", "end", "most")), f"{each['slope'] / 1024:+.0f}"]
        for name, each in result["processes"].items()
    ]
    heads = [f"after {result['calls']:,} CheckAccess", "at the start, MiB", "at the end", "most"]
    return table([*heads, "KiB per 100,000 calls, second half"], rows)


def cpu(measured: dict[str, float]) -> float:
    """Of all that serve."""
    return sum(seconds for name, seconds in measured.items() if name.startswith("cpu ") and name != "cpu load")


def latencies(measured: dict[str, float]) -> list[str]:
    return [f"{measured[name] * 1000:.2f}" for name in ("p50", "p95", "p99")]


def number(value: float) -> str:
    return f"{value:,.0f}"


def micro(seconds: float | None) -> str:
    return "" if seconds is None else number(seconds * 1e6)


def ratio(found: float | None) -> str:
    """With two digits that count."""
    if found is None:
        return ""
    return f"{found:.2g}" if found < 0.1 else f"{found:.2f}" if found < 10 else f"{found:.0f}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Markdown whose columns stand below each other; all but the first to the right. Empty without rows."""
    if not rows:
        return ""
    widths = [max(3, *(len(row[n]) for row in [heads, *rows])) for n in range(len(heads))]
    lines = []
    for row in [heads, *rows]:
        cells = [
            f"{cell:<{width}}" if n == 0 else f"{cell:>{width}}"
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("| " + " | ".join(cells) + " |")
    rule = "|" + "|".join("-" * (width + 2) if n == 0 else "-" * (width + 1) + ":" for n, width in enumerate(widths))
    return "\n".join([lines[0], rule + "|", *lines[1:]])


KNOWN = {"kinds": of_kinds, "ways": of_ways, "processes": of_memory, "calls": of_growth}


def main() -> None:
    out = Path(__file__).parent / "out"
    for path in [Path(name) for name in sys.argv[1:]] or sorted(out.glob("*.json")):
        result = json.loads(path.read_text())
        kind = next((key for key in KNOWN if key in result), None)
        if kind:
            print(KNOWN[kind](result) + "\n")


if __name__ == "__main__":
    main()
