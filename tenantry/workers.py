"""What a group of workers needs before its supervisor starts them: settings, ports, metrics."""

import asyncio
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from shared.log import log, set_up_logging
from shared.metrics import Workers, serve_metrics
from shared.settings import CommonSettings, load
from tenantry.supervisor import Group
from tenantry.worker_ports import hold, own_addresses


def serve_with_workers(service: str, workers: int) -> int:
    """Until it is asked to end; the exit status. What would stop every worker stops it here, in one line."""
    os.environ["WORKERS"] = str(workers)
    settings: CommonSettings = load(importlib.import_module(f"{service}_service.settings").Settings)
    set_up_logging(service, settings.log_level)
    own = own_addresses(settings.listen_address, workers, settings.worker_port_step)
    held = hold([settings.listen_address, *own.values()])
    for_all = {"METRICS_ADDRESS": ""}
    ended: Callable[[int], None] = ignore
    directory = tempfile.mkdtemp(prefix="tenantry-metrics-") if settings.metrics_address else None
    if directory:
        metrics = Workers(Path(directory))
        serve_metrics(settings.metrics_address, metrics)
        for_all["PROMETHEUS_MULTIPROC_DIR"], ended = directory, metrics.ended
    environments = {
        number: {**for_all, "WORKER": str(number), "WORKER_ADDRESS": address} for number, address in own.items()
    }
    log.info("supervising", workers=workers, address=settings.listen_address, own_addresses=list(own.values()))
    try:
        return asyncio.run(Group(f"{service}_service", environments, settings.grace_seconds, ended).run())
    finally:
        for port in held:
            port.close()
        if directory:
            shutil.rmtree(directory, ignore_errors=True)


def ignore(_process_id: int) -> None:
    """Nothing is measured."""
