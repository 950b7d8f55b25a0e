"""What is counted of every call: how many, how long they took, how they ended."""

from prometheus_client import Counter, Histogram

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

CALL_SECONDS = Histogram(
    "tenantry_call_seconds", "Time of a unary call, by how it ended.", ("method", "code"), buckets=SECONDS
)
STREAMS_ENDED = Counter(
    "tenantry_streams_ended_total",
    "Streams that ended, by how; they last as long as their readers.",
    ("method", "code"),
)
CALL_FAILURES = Counter(
    "tenantry_call_failures_total", "Calls and streams that were refused or failed.", ("method", "code", "reason")
)
# Counted by admission as it refuses them, which must cost next to nothing, and taken from there once a second.
CALLS_OVERLOADED = Counter(
    "tenantry_calls_overloaded_total", "Calls that were refused at once, as OVERLOADED or HASHING_BUSY."
)


class Measured:
    """The calls of one method, made once for each: what an OK call needs is looked up here, not with every call."""

    __slots__ = ("_is_stream", "_method", "_ok")

    def __init__(self, method: str, *, is_stream: bool = False) -> None:
        self._method, self._is_stream = method, is_stream
        self._ok = None if is_stream else CALL_SECONDS.labels(method, "OK").observe

    def ended(self, code: str, seconds: float, reason: str | None = None) -> None:
        """`code` and `reason` as the log has them: names out of our own lists, never anything a caller wrote."""
        if self._ok is not None and code == "OK":
            self._ok(seconds)
            return
        if self._is_stream:
            STREAMS_ENDED.labels(self._method, code).inc()
        else:
            CALL_SECONDS.labels(self._method, code).observe(seconds)
        if reason is not None:
            CALL_FAILURES.labels(self._method, code, reason).inc()


# Under one name: strangers would fill the memory with made-up ones.
UNKNOWN = Measured("unknown", is_stream=True)
