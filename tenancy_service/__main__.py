"""Start tenancy: python -m tenancy_service."""

import uvloop

from shared.log import set_up_logging
from shared.metrics import serve_metrics
from shared.server import serve
from shared.settings import load
from tenancy_service.server import running
from tenancy_service.settings import Settings


async def main(settings: Settings) -> None:
    async with running(settings) as server:
        await serve(server, settings.listen_address, settings.grace_seconds, own_address=settings.worker_address)


if __name__ == "__main__":
    settings = load(Settings)
    set_up_logging("tenancy", settings.log_level, worker=settings.worker)
    if settings.metrics_address:
        serve_metrics(settings.metrics_address)
    uvloop.run(main(settings))
