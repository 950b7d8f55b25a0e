"""How long the caller of an RPC still waits for it."""

import math
import time
from contextvars import ContextVar

_end: ContextVar[float] = ContextVar("deadline", default=math.inf)


def set_deadline(seconds: float) -> None:
    """From now on, for this call."""
    _end.set(time.monotonic() + seconds)


def deadline() -> float:
    """By time.monotonic(); infinity outside of calls and in streams."""
    return _end.get()
