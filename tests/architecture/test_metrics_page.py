"""The page of metrics names every one as it is, and its queries ask for no others."""

import re
from typing import Any

import pytest
from prometheus_client import REGISTRY, Counter, Gauge, Histogram

import identity_service.metrics
import tenancy_service.metrics
from shared import call_metrics, worker_metrics
from tests.architecture.project import ROOT

PAGE = (ROOT / "docs" / "metrics.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \| (\w+) \| ([`\w, ]*)\|", PAGE, re.MULTILINE)
DOCUMENTED = {name: (kind, re.findall(r"\w+", labels)) for name, kind, labels in ROWS}
METRICS: dict[str, Any] = {
    metric._name + "_total" * isinstance(metric, Counter): metric
    for module in (call_metrics, worker_metrics, identity_service.metrics, tenancy_service.metrics)
    for metric in vars(module).values()
    if isinstance(metric, Counter | Gauge | Histogram)
}
# Prometheus' own: the unit comes last, and it is a basic one.
COUNTS = ("_under_way", "_waiting", "_connections", "_questions", "_events")
UNITS = ("_seconds", "_bytes", "_total", *COUNTS)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_documented_as_it_is(name: str) -> None:
    metric = METRICS[name]
    assert DOCUMENTED[name] == (metric._type, list(metric._labelnames))
    assert name.startswith("tenantry_")
    assert name.endswith(UNITS)
    assert metric._documentation.endswith(".")


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if isinstance(metric, Gauge)])
def test_a_gauge_says_how_workers_add_up_and_vanishes_with_its_worker(name: str) -> None:
    """The ended workers' files are added up, which only counts can be."""
    assert METRICS[name]._multiprocess_mode in ("livesum", "liveall", "livemax", "livemostrecent")


def test_nothing_else_is_documented_or_measured() -> None:
    assert DOCUMENTED.keys() == METRICS.keys()
    names = {metric.name for metric in REGISTRY.collect() if metric.name.startswith("tenantry_")}
    assert names == {name.removesuffix("_total") for name in METRICS}


def test_the_queries_ask_for_metrics_that_there_are() -> None:
    asked = set(re.findall(r"tenantry_\w+", PAGE.partition("## Queries")[2]))
    assert len(asked) > 10
    parts = {f"{name}_{part}" for name in METRICS for part in ("bucket", "sum", "count")}
    assert asked - METRICS.keys() <= parts
