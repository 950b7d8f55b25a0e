"""What is measured while a pair of services works, and that no label tells whom it works for."""

import asyncio
import time

import grpc
import pytest
from prometheus_client import REGISTRY

import identity_service.server
import tenancy_service.server
from protos.identity.v1.events_pb2 import StreamEventsRequest
from protos.identity.v1.events_pb2_grpc import EventServiceStub
from protos.tenancy.v1.access_pb2 import CheckAccessRequest
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from shared.access_rules import INFRASTRUCTURE
from shared.admission import Admission
from shared.authentication import Authentication
from shared.database import Database
from shared.guard import Guard
from shared.reasons import Reason
from shared.sampling import MEMORY, count_overloaded, sample
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.shared.all_kinds import find_person

CHECK = "tenancy.v1.AccessService/CheckAccess"
STREAM = "identity.v1.EventService/StreamEvents"
# All that a label of ours may hold; `test` and test.v1 are of tests that run before.
LABELS = {
    "method": {*identity_service.server.RPCS, *tenancy_service.server.RPCS, *INFRASTRUCTURE, "unknown"}
    | {"BatchValidateSessions", "BatchGetUsers"},
    "code": {code.name for code in grpc.StatusCode} | {"ABORTED_BY_HANDLER"},
    "reason": {reason.name for reason in Reason},
    "batch": {"checks", "sessions", "session_batches", "check_batches", "sessions_of_batches", "test"},
    "pool": {"transactions", "hot"},
    "state": {"in_use", "idle"},
    "result": {"sent", "failed", "given_up"},
}


class Since:
    """How much a sample has grown since this was made."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = f"tenantry_{name}", labels
        self._before = self._value()

    def _value(self) -> float:
        return REGISTRY.get_sample_value(self._name, self._labels) or 0.0

    def grown(self) -> float:
        return self._value() - self._before


@pytest.fixture(scope="module")
def access(tenancy: grpc.aio.Channel) -> AccessServiceStub:
    return AccessServiceStub(tenancy)


async def test_a_call_and_what_it_asks_identity_are_counted(access: AccessServiceStub, people: People) -> None:
    ada = await people.person()
    project = await people.project(await people.organization(ada), ada)
    calls, seconds = (Since(f"call_seconds_{what}", method=CHECK, code="OK") for what in ("count", "sum"))
    asked = Since("identity_seconds_count", method="BatchValidateSessions", code="OK")
    begin = time.perf_counter()
    request = CheckAccessRequest(permission="project:read", project_id=project)
    await access.CheckAccess(request, metadata=ada.metadata)
    assert (calls.grown(), asked.grown()) == (1, 1)
    assert 0 < seconds.grown() < time.perf_counter() - begin


async def test_a_refused_call_is_counted_with_its_reason(access: AccessServiceStub) -> None:
    calls = Since("call_seconds_count", method=CHECK, code="UNAUTHENTICATED")
    failures = Since("call_failures_total", method=CHECK, code="UNAUTHENTICATED", reason="SESSION_INVALID")
    request = CheckAccessRequest(permission="organization:read", organization_id="00000000-0000-0000-0000-000000000000")
    async with fails(Reason.SESSION_INVALID):
        await access.CheckAccess(request, metadata=(("authorization", "Bearer forged"),))
    assert (calls.grown(), failures.grown()) == (1, 1)


async def test_methods_that_strangers_make_up_count_as_one(tenancy: grpc.aio.Channel) -> None:
    unknown = Since("call_failures_total", method="unknown", code="UNIMPLEMENTED", reason="METHOD_UNKNOWN")
    for name in ("Guess", "MadeUp"):
        async with fails(Reason.METHOD_UNKNOWN):
            await tenancy.unary_unary(f"/tenancy.v1.AccessService/{name}")(b"")  # type: ignore[arg-type]
    assert unknown.grown() == 2


async def test_a_stream_is_counted_as_it_ends_and_not_among_the_times_of_calls(pair: Pair) -> None:
    ended = Since("streams_ended_total", method=STREAM, code="CANCELLED")
    stream = EventServiceStub(pair.identity.channel).StreamEvents(StreamEventsRequest(), metadata=AS_OPERATOR)
    await stream.read()
    assert ended.grown() == 0
    stream.cancel()
    while ended.grown() < 1:  # noqa: ASYNC110 - nobody tells a caller who has gone
        await asyncio.sleep(0.01)
    assert REGISTRY.get_sample_value("tenantry_call_seconds_count", {"method": STREAM, "code": "CANCELLED"}) is None


async def test_questions_asked_at_the_same_time_are_counted_by_batch(access: AccessServiceStub, people: People) -> None:
    ada = await people.person()
    request = CheckAccessRequest(permission="organization:read", organization_id=await people.organization(ada))
    questions, trips, times = (
        Since(name, batch="checks") for name in ("batch_questions_sum", "batch_questions_count", "batch_seconds_count")
    )
    await asyncio.gather(*(access.CheckAccess(request, metadata=ada.metadata) for _ in range(30)))
    assert questions.grown() == 30
    assert times.grown() == trips.grown() < 30


async def test_connections_in_use_calls_under_way_and_memory_are_as_they_are(pair: Pair) -> None:
    database = Database(pair.tenancy.database_url, pool_size=3, name="test", constraint_errors={})
    guard = Guard({}, Authentication(find_person, {}, "connect.sid"))
    guard.under_way.calls, guard.under_way.streams = 5, 2
    waits = Since("database_wait_seconds_count", pool="transactions")

    def gauges() -> tuple[float | None, ...]:
        names = "calls_under_way", "streams_under_way"
        states = ({"pool": "transactions", "state": state} for state in ("in_use", "idle"))
        sample(guard, database)
        return (
            *(REGISTRY.get_sample_value(f"tenantry_{name}") for name in names),
            *(REGISTRY.get_sample_value("tenantry_database_connections", labels) for labels in states),
        )

    assert gauges() == (3, 2, 0, 0)
    async with database.transaction(), database.single_read():
        assert gauges() == (3, 2, 2, 0)
    assert gauges() == (3, 2, 0, 2)
    assert waits.grown() >= 2  # the services of the pair wait too
    await database.close()
    if MEMORY.exists():
        assert 20e6 < (REGISTRY.get_sample_value("tenantry_worker_resident_memory_bytes") or 0) < 2e9


def test_a_call_that_admission_refused_is_counted_once() -> None:
    admission = Admission(others=0)
    crowd = admission.crowd(CHECK)
    overloaded, counted = Since("calls_overloaded_total"), 0
    for refused in (3, 0, 2):
        for _ in range(refused):
            admission.refuse(crowd)
        counted = count_overloaded(admission, counted)
    assert overloaded.grown() == 5


@pytest.mark.last
def test_no_label_tells_of_whom_or_to_whom() -> None:
    """After everything else: names out of our own lists, never an id, an address or a token."""
    for metric in REGISTRY.collect():
        if metric.name.startswith("tenantry_"):
            for label, value in ((label, value) for sample in metric.samples for label, value in sample.labels.items()):
                if label == "le":
                    assert value == "+Inf" or float(value) > 0
                else:
                    assert value in LABELS[label] or value.startswith("test.v1."), f"{metric.name} {label}={value}"
