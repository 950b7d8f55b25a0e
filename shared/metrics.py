"""Metrics for Prometheus, on a port of their own: this process's, or what several workers add up to.

Nothing here is counted, and nothing of gRPC is imported: a supervisor needs no more than this. Workers add up
when each of them finds PROMETHEUS_MULTIPROC_DIR in its environment before it imports prometheus_client: a directory
that is theirs alone and empty as the first of them starts.
"""

import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry, Metric, disable_created_metrics, start_http_server
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

GONE = "0"  # in the place of a process's id: what all workers that ended had counted


class Workers(Collector):
    """The sum of what the workers of a directory measure, the ended ones' counts with them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._sum = MultiProcessCollector(None, str(directory))
        self._lock = threading.Lock()

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            return list(self._sum.collect())

    def ended(self, process_id: int) -> None:
        """For the supervisor to call when a worker has ended, however: its gauges go, its counts stay.

        They move into one file for all that ended: else each restart would leave files to be read at every scrape.
        """
        with self._lock:
            mark_process_dead(process_id, str(self._directory))
            for file in self._directory.glob(f"*_{process_id}.db"):
                add_up(file, file.with_name(f"{file.name.rpartition('_')[0]}_{GONE}.db"))
                file.unlink()


def add_up(file: Path, total: Path) -> None:
    """Counters and histograms only: every gauge of ours is of live processes."""
    counts = MmapedDict(str(total))
    for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):
        counts.write_value(key, counts.read_value(key)[0] + value, 0.0)
    counts.close()


def serve_metrics(address: str, workers: Workers | None = None) -> int:
    """At /metrics of `host:port`, from a thread, until the process ends; the port, which 0 leaves to the system.

    Of this process, or of `workers`. Exits with status 1 where it cannot listen.
    """
    disable_created_metrics()  # one more series for each; with several workers there are none anyway
    host, _, port = address.rpartition(":")
    registry = REGISTRY
    if workers is not None:
        registry = CollectorRegistry()
        registry.register(workers)
    try:
        server, _ = start_http_server(int(port), host, registry)
    except OSError as error:
        sys.exit(f"METRICS_ADDRESS: cannot listen on {address}: {error.strerror}")
    return int(server.server_port)
