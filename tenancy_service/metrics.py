"""What tenancy counts for Prometheus."""

from prometheus_client import Gauge

# As the worker that follows identity finds them: it looks whenever its stream begins, and when it adds one.
SET_ASIDE_EVENTS = Gauge(
    "tenantry_set_aside_events", "Events of identity that could not be applied and wait for an operator."
)
