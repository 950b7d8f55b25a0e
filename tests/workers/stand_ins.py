"""A supervisor with stand-ins for workers, and less patience: python -m tests.workers.stand_ins STEADY."""

import asyncio
import sys

from shared.log import set_up_logging
from tenantry import supervisor

GRACE = 0.2


if __name__ == "__main__":
    supervisor.STEADY = float(sys.argv[1])
    supervisor.READY_SECONDS, supervisor.KILL_AFTER = 1.5, 0.3
    set_up_logging("stand-ins", "INFO")
    group = supervisor.Group("tests.workers.stand_in", {1: {"WORKER": "1"}, 2: {"WORKER": "2"}}, GRACE, lambda _: None)
    sys.exit(asyncio.run(group.run()))
