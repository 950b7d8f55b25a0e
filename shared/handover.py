"""Let the event loop finish what it does before gRPC's own thread hands it more."""

import os
import sys

import grpc


def start_grpc() -> None:
    """Call it in the main thread, inside the event loop and before any channel or server is made.

    gRPC collects finished operations in a thread that wakes some six times a call and each time, on a busy
    machine, pushes the event loop off its core for a moment. Under Linux's batch policy a thread that wakes waits for
    its turn: the loop gets operations by the dozen. On a free core nothing changes.
    """
    if sys.platform != "linux":
        return
    usual, no_priority = os.sched_getscheduler(0), os.sched_param(0)
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, no_priority)
    except OSError:  # a sandbox may forbid it
        return
    grpc.aio.init_grpc_aio()  # starts that thread, which inherits the policy
    os.sched_setscheduler(0, usual, no_priority)
