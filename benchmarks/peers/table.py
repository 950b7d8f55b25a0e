"""What was measured, as a Markdown table for docs/performance.md."""

from benchmarks.peers.rounds import FEWER, FULLY, OURS, QUICKLY, Round, medians

NAMES = {
    OURS: OURS,
    FULLY: "SpiceDB, `fully_consistent`",
    QUICKLY: "SpiceDB, `minimize_latency`",
    FEWER: "SpiceDB, `fully_consistent`, 80 people and projects",
}
KINDS = {"checks": "one check", "pages": "100 checks in a call"}
HEADS = [
    "question",
    "in flight",
    "who",
    "checks/s",
    "slowest-fastest",
    "p50 ms",
    "p99 ms",
    "CPU us a check",
    "of which",
]


def show(rounds: dict[str, list[Round]]) -> None:
    """Medians; times are of a call."""
    print(f"\nmedians of {min(map(len, rounds.values()))} alternating rounds\n")
    print(row(HEADS))
    print(row(["---"] * len(HEADS)))
    for name, found in rounds.items():
        who, kind, in_flight = name.split(" | ")
        median, rates = medians(found), [each.rate for each in found]
        parts = {process: seconds * 1e6 for process, seconds in median.cpu.items()}
        print(
            row(
                [
                    KINDS[kind],
                    in_flight,
                    NAMES[who],
                    f"{median.rate:,.0f}",
                    f"{min(rates):,.0f}-{max(rates):,.0f}",
                    f"{median.p50 * 1000:.2f}",
                    f"{median.p99 * 1000:.2f}",
                    f"{sum(parts.values()):,.0f}",
                    ", ".join(f"{process} {microseconds:,.0f}" for process, microseconds in parts.items()),
                ]
            )
        )


def row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
