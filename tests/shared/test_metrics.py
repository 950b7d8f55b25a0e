"""Metrics are there for Prometheus, on a port of their own."""

import asyncio
from urllib.request import urlopen

import pytest

from shared.metrics import serve_metrics


async def test_metrics_are_served_where_the_setting_says() -> None:
    port = serve_metrics("127.0.0.1:0")

    def read() -> str:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    told = await asyncio.to_thread(read)
    assert "process_resident_memory_bytes" in told
    assert "tenantry_set_aside_events" in told


def test_an_address_that_is_taken_is_said_in_one_line() -> None:
    port = serve_metrics("127.0.0.1:0")
    with pytest.raises(SystemExit, match=f"METRICS_ADDRESS: cannot listen on 127.0.0.1:{port}: Address already in use"):
        serve_metrics(f"127.0.0.1:{port}")
