"""Metrics for Prometheus, on a port of their own."""

from prometheus_client import start_http_server


def serve_metrics(address: str) -> int:
    """At /metrics of `host:port`, from a thread, until the process ends; the port, which 0 leaves to the system."""
    host, _, port = address.rpartition(":")
    server, _ = start_http_server(int(port), host)
    return int(server.server_port)
