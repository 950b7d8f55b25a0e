"""The picture of a run: calls/s of each kind as bars, and latencies on a logarithmic axis."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

INK, SOFT, BAR, OTHER = "#1f2933", "#9aa5b1", "#2f6f9f", "#d9822b"
STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
SHARES = (("p50", "o"), ("p95", "d"), ("p99", "|"))


def draw(result: dict[str, Any], path: Path) -> None:
    kinds = list(result["kinds"].values())
    with pyplot.rc_context(STYLE):
        figure, (left, right) = pyplot.subplots(
            1, 2, figsize=(13, 1.6 + 0.55 * len(kinds)), sharey=True, layout="constrained"
        )
        throughput(left, kinds)
        latency(right, kinds)
        left.set_yticks(range(len(kinds)), [each["label"] for each in kinds])
        left.invert_yaxis()
        left.tick_params(axis="y", length=0)
        workers = f"{result['workers']} worker{'s' * (result['workers'] > 1)} of each service"
        figure.suptitle(
            f"Tenantry, {result['memberships']:,} memberships, {workers}, {result['machine'].rpartition(',')[0]}",
            fontsize=12, fontweight="bold",
        )  # fmt: skip
        figure.savefig(path, dpi=150)
        pyplot.close(figure)


def throughput(axes: Axes, kinds: list[dict[str, Any]]) -> None:
    rates = [each["saturated"]["rate"] for each in kinds]
    axes.barh(range(len(kinds)), rates, color=[SOFT, *[BAR] * (len(kinds) - 1)], height=0.6)
    for place, (each, rate) in enumerate(zip(kinds, rates, strict=True)):
        text = f"{rate:,.0f}"
        if place:
            text += (
                f"   {rate / rates[0]:.0%} of {kinds[0]['label'].partition(' (')[0]}" if rate > rates[0] / 10 else ""
            )
        if each["checks"] > 1:
            text += f"   {rate * each['checks']:,.0f} checks/s"
        axes.text(rate + max(rates) * 0.01, place, text, va="center", fontsize=9)
    axes.set_xlim(0, max(rates) * 1.3)
    axes.set_title("calls/s, with as many in flight as saturate it", fontsize=10, loc="left")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="x", color="#e4e7eb")
    axes.set_axisbelow(True)


def latency(axes: Axes, kinds: list[dict[str, Any]]) -> None:
    for how, color, name, shift in (
        ("alone", OTHER, "one call at a time", -0.14),
        ("saturated", BAR, "saturated", 0.14),
    ):
        for place, each in enumerate(kinds):
            times = [each[how][share] * 1000 for share, _ in SHARES]
            axes.plot(times, [place + shift] * len(times), color=color, linewidth=1.5, alpha=0.5)
            for (share, marker), time in zip(SHARES, times, strict=True):
                label = f"{name}, {share}" if place == 0 else None
                axes.plot(time, place + shift, marker, color=color, markersize=9 if marker == "|" else 6, label=label,
                          markeredgewidth=2 if marker == "|" else 1)  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title("milliseconds (logarithmic)", fontsize=10, loc="left")
    axes.grid(axis="x", color="#e4e7eb")
    axes.set_axisbelow(True)
    axes.legend(fontsize=8, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.06))
