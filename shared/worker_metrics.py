"""What a worker measures of itself: what it is doing at the moment, how long things wait in it, what it uses.

Gauges are sums over the workers that live, or one for each of them, with its process id, where a sum says nothing.
Those of the database's rows are the same whoever counts, so the latest count holds.
"""

from prometheus_client import Counter, Gauge, Histogram

from shared.call_metrics import SECONDS

CALLS_UNDER_WAY = Gauge(
    "tenantry_calls_under_way", "Calls that are being worked on, streams not counted.", multiprocess_mode="livesum"
)
STREAMS_UNDER_WAY = Gauge("tenantry_streams_under_way", "Streams that are open.", multiprocess_mode="livesum")

BATCH_QUESTIONS = Histogram(
    "tenantry_batch_questions",
    "Questions that one trip answered together.",
    ("batch",),
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
BATCH_SECONDS = Histogram(
    "tenantry_batch_seconds", "Time of a trip for a batch of answers.", ("batch",), buckets=SECONDS
)

DATABASE_CONNECTIONS = Gauge(
    "tenantry_database_connections", "Connections to PostgreSQL.", ("pool", "state"), multiprocess_mode="livesum"
)
DATABASE_WAIT_SECONDS = Histogram(
    "tenantry_database_wait_seconds", "Time until a connection was to be had.", ("pool",), buckets=SECONDS
)

MAILS_WAITING = Gauge(
    "tenantry_mails_waiting",
    "Mails that are yet to be sent; what is given up is not among them.",
    multiprocess_mode="livemostrecent",
)
MAILS = Counter("tenantry_mails_total", "Attempts to send a mail, by how they ended.", ("result",))

EVENT_LOOP_LAG_SECONDS = Histogram(
    "tenantry_event_loop_lag_seconds",
    "How much later than due a worker's event loop woke somebody up, looked at once a second.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
WORKER_MEMORY_BYTES = Gauge(
    "tenantry_worker_resident_memory_bytes",
    "Resident memory of a worker; 0 where there is no /proc.",
    multiprocess_mode="liveall",
)
WORKER_CPU_SECONDS = Gauge(
    "tenantry_worker_cpu_seconds", "CPU time that a worker has used, user and system.", multiprocess_mode="liveall"
)
WORKER_START_TIME_SECONDS = Gauge(
    "tenantry_worker_start_time_seconds", "When a worker began to serve, in Unix time.", multiprocess_mode="liveall"
)
