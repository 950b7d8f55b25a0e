"""What identity measures for Prometheus, besides what both services do."""

from prometheus_client import Gauge

PASSWORD_CALLS = Gauge(
    "tenantry_password_calls_under_way",
    "Public calls that hash a password, or wait to; too many are refused as HASHING_BUSY.",
    multiprocess_mode="livesum",
)
