"""What tenancy measures for Prometheus, besides what both services do."""

from prometheus_client import Gauge, Histogram

from shared.call_metrics import SECONDS

IDENTITY_SECONDS = Histogram(
    "tenantry_identity_seconds", "Time of a question to identity, by how it ended.", ("method", "code"), buckets=SECONDS
)
# The worker that follows identity keeps both: the greatest is right. Who takes its place counts before anything else.
SET_ASIDE_EVENTS = Gauge(
    "tenantry_set_aside_events",
    "Events of identity that could not be applied and wait for an operator.",
    multiprocess_mode="livemax",
)
FOLLOWED_TIME_SECONDS = Gauge(
    "tenantry_identity_events_followed_timestamp_seconds",
    "When identity last told something that was applied, in Unix time: every 10 s at least.",
    multiprocess_mode="livemax",
)
