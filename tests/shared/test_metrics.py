"""Metrics are there for Prometheus, on a port of their own; several workers' add up."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.metrics import Workers, serve_metrics
from tests.architecture.project import ROOT

Series = dict[tuple[str, ...], float]

# Counts what its arguments say, then lives until its input ends.
WORKER = """
import sys
from shared.call_metrics import Measured
from shared.worker_metrics import CALLS_UNDER_WAY, MAILS_WAITING, WORKER_MEMORY_BYTES

calls, mails = map(int, sys.argv[1:])
check = Measured("tenancy.v1.AccessService/CheckAccess")
for _ in range(calls):
    check.ended("OK", 0.002)
check.ended("UNAVAILABLE", 0.3, "DATABASE_UNAVAILABLE")
CALLS_UNDER_WAY.set(calls)
WORKER_MEMORY_BYTES.set(calls)
MAILS_WAITING.set(mails)
print("counted", flush=True)
sys.stdin.read()
"""
CHECK = "tenancy.v1.AccessService/CheckAccess"
OK = ("tenantry_call_seconds_count", "OK", CHECK)
FAILED = ("tenantry_call_failures_total", "UNAVAILABLE", CHECK, "DATABASE_UNAVAILABLE")


@contextmanager
def worker(directory: Path, calls: int, mails: int) -> Iterator[int]:
    command = [sys.executable, "-c", WORKER, str(calls), str(mails)]
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "counted\n"
        yield process.pid
        process.kill()  # however it ends


def read(port: int) -> Series:
    """By name and the labels' values."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
    return {(sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value for sample in samples}


async def test_metrics_are_served_where_the_setting_says() -> None:
    told = await asyncio.to_thread(read, serve_metrics("127.0.0.1:0"))
    assert told["process_resident_memory_bytes",] > 0
    assert ("tenantry_set_aside_events",) in told
    assert not [name for name, *_ in told if name.startswith("tenantry_") and name.endswith("_created")]


def test_an_address_that_is_taken_is_said_in_one_line() -> None:
    port = serve_metrics("127.0.0.1:0")
    with pytest.raises(SystemExit, match=f"METRICS_ADDRESS: cannot listen on 127.0.0.1:{port}: Address already in use"):
        serve_metrics(f"127.0.0.1:{port}")


def test_what_workers_count_adds_up_also_when_they_have_died(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    port = serve_metrics("127.0.0.1:0", workers)
    assert read(port) == {}
    with worker(tmp_path, calls=3, mails=9) as one:
        with worker(tmp_path, calls=4, mails=7) as other:
            both = read(port)
            assert (both[OK], both[FAILED]) == (7, 2)
            assert both["tenantry_call_seconds_bucket", "OK", "0.0025", CHECK] == 7
            assert both["tenantry_calls_under_way",] == 7
            assert both["tenantry_worker_resident_memory_bytes", str(one)] == 3
            assert both["tenantry_worker_resident_memory_bytes", str(other)] == 4
            assert both["tenantry_mails_waiting",] == 7  # the same rows, counted later
        workers.ended(other)
        left = read(port)
        assert (left[OK], left[FAILED]) == (7, 2)
        assert left["tenantry_calls_under_way",] == 3
        assert ("tenantry_worker_resident_memory_bytes", str(other)) not in left
        assert left["tenantry_mails_waiting",] == 9
    workers.ended(one)
    with worker(tmp_path, calls=1, mails=0) as third:
        now = read(port)
        assert (now[OK], now[FAILED]) == (8, 3)
        assert now["tenantry_calls_under_way",] == 1
    workers.ended(third)
    assert read(port)[OK] == 8
    # What is read at a scrape does not grow with every restart.
    assert sorted(file.name for file in tmp_path.iterdir()) == ["counter_0.db", "histogram_0.db"]
