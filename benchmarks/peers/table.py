"""What was measured, as a Markdown table for docs/performance.md."""

from benchmarks import report
from benchmarks.peers.rounds import FEWER, FULLY, OURS, QUICKLY, Round, medians

NAMES = {
    OURS: OURS,
    FULLY: "SpiceDB, `fully_consistent`",
    QUICKLY: "SpiceDB, `minimize_latency`",
    FEWER: "SpiceDB, `fully_consistent`, 80 people and projects",
}
KINDS = {"checks": "one check a call", "pages": "100 checks a call"}


def of_peers(rounds: dict[str, list[Round]]) -> str:
    """Medians; p50 and p99 are a call's, all else is a check's."""
    rows, parts = [], []
    for name, found in rounds.items():
        who, kind, in_flight = name.split(" | ")
        median, rates = medians(found), [each.rate for each in found]
        question = f"{KINDS[kind]}, {in_flight} at a time"
        rows.append(
            [
                f"{NAMES[who]}: {question}",
                f"{median.rate:,.0f}",
                f"{min(rates):,.0f}-{max(rates):,.0f}",
                f"{median.p50 * 1000:.2f}",
                f"{median.p99 * 1000:.2f}",
                f"{sum(median.cpu.values()) * 1e6:,.0f}",
            ]
        )
        if who == OURS:
            shares = ", ".join(f"{process} {seconds * 1e6:,.0f}" for process, seconds in median.cpu.items())
            parts.append(f"CPU of Tenantry, {question}: {shares}")
    heads = [
        f"medians of {min(map(len, rounds.values()))} alternating rounds",
        *("checks/s", "slowest-fastest", "p50 ms", "p99 ms", "CPU us a check"),
    ]
    return report.table(heads, rows) + "\n\n" + "\n".join(parts)
