"""Metrics for Prometheus, on a port of their own."""

import sys

from prometheus_client import start_http_server


def serve_metrics(address: str) -> int:
    """At /metrics of `host:port`, from a thread, until the process ends; the port, which 0 leaves to the system.

    Exits with status 1 where it cannot listen.
    """
    host, _, port = address.rpartition(":")
    try:
        server, _ = start_http_server(int(port), host)
    except OSError as error:
        sys.exit(f"METRICS_ADDRESS: cannot listen on {address}: {error.strerror}")
    return int(server.server_port)
