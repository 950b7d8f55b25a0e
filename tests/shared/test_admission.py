"""shared/admission.py: who is refused when there are too many, who never is, and that the counts are right."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc
import psycopg
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from protos.extauthz.v1.external_auth_pb2_grpc import AuthorizationStub
from protos.identity.v1.sessions_pb2 import ValidateSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import GetUserRequest, SuspendUserRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from protos.tenancy.v1.access_pb2 import CheckAccessRequest
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from protos.tenancy.v1.projects_pb2 import CreateProjectRequest
from protos.tenancy.v1.projects_pb2_grpc import ProjectServiceStub
from shared import admission, database
from shared.admission import FEWER, Admission, Crowd
from shared.errors import ServiceError
from shared.reasons import Reason
from tenancy_service import check as tenancy_check
from tenantry.testing.pair import Pair, Service, running_identity, running_tenancy
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails, read
from tests.shared.all_kinds import AS_ADA, KINDS, MALFORMED, SERVICE, Lines, Running, running_kinds, said
from tests.tenancy.edge_requests import edge_request
from tests.waiting import until

FEW = FEWER  # checks at once, and so one of all else


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    found = Lines()
    monkeypatch.setattr(admission, "log", found)
    return found


def is_idle(running: Running) -> bool:
    return running.guard.admission.others.under_way == running.guard.under_way.calls == 0


async def refusal(call: Any) -> float:
    """Its seconds to wait."""
    async with fails(Reason.OVERLOADED) as failure:
        await call
    assert failure.retry_after is not None
    return failure.retry_after


async def test_rpcs_that_share_a_crowd_share_its_limit_and_its_reason(lines: Lines) -> None:
    crowd = Crowd(1, lambda: ServiceError(Reason.HASHING_BUSY, retry_after=2.0))
    both = dict.fromkeys([f"{SERVICE}/UnaryUnary", f"{SERVICE}/Open"], crowd)
    async with running_kinds(lines, admission=Admission(crowds=both, others=1)) as running:
        held = running.start("UnaryUnary", said("wait"))
        await running.kinds.waiting.wait()
        async with fails(Reason.HASHING_BUSY) as failure:
            await running.call("Open", said("hello"))
        assert failure.retry_after == 2.0
        assert await running.call("UnaryStream", said("hello"))  # of the others
        held.cancel()


async def test_one_too_many_is_refused_and_passes_when_another_has_ended(lines: Lines) -> None:
    async with running_kinds(lines, admission=Admission(others=1)) as running:
        held = running.start("UnaryUnary", said("wait"))
        await running.kinds.waiting.wait()
        waits = {await refusal(running.start("UnaryUnary", said("hello"))) for _ in range(8)}
        assert all(0.5 <= wait <= 1.5 for wait in waits)
        assert len(waits) > 1  # or they would all come back together
        assert running.kinds.heard == ["wait"]
        running.kinds.let_go.set()
        await held
        assert await running.call("UnaryUnary", said("hello")) == ["hello 1"]


async def test_refusals_are_counted_and_told_once_in_a_while(lines: Lines) -> None:
    async with running_kinds(lines, admission=Admission({f"{SERVICE}/Open": 0}, others=1)) as running:
        held = running.start("UnaryUnary", said("wait"))
        await running.kinds.waiting.wait()
        for kind in ("UnaryUnary", "Open", "Open"):
            await refusal(running.start(kind, said("hello")))
        assert running.guard.admission.refused == 3
        assert lines.lines == [{"event": "overloaded", "refused": 1}]
        held.cancel()


@pytest.mark.parametrize("kind", KINDS)
async def test_whatever_a_call_ends_with_it_is_no_longer_counted(lines: Lines, kind: str) -> None:
    async with running_kinds(lines, admission=Admission(others=1)) as running:
        for data, options in (
            (said("hello"), {}),
            (said("refuse"), {}),
            (said("boom"), {}),
            (MALFORMED, {}),
            (said("hello"), {"metadata": ()}),
            (said("hello"), {"metadata": (("authorization", "Bearer broken"),)}),
        ):
            await ended(running.call(kind, data, **options))
            await running.guard.calls_over(5)
            assert is_idle(running)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metadata", [AS_ADA, (("authorization", "Bearer slow"),)], ids=["in handler", "before it"])
async def test_a_cancelled_call_is_no_longer_counted(lines: Lines, kind: str, metadata: Any) -> None:
    async with running_kinds(lines, admission=Admission(others=1)) as running:
        call = running.start(kind, said("wait"), metadata=metadata)
        await until(lambda: running.guard.admission.others.under_way == 1)
        call.cancel()
        await running.guard.calls_over(5)
        assert is_idle(running)
        running.kinds.let_go.set()
        await running.call(kind, said("hello"))


async def test_each_of_the_first_has_a_crowd_of_its_own_and_the_unlimited_have_none(lines: Lines) -> None:
    chosen = Admission({f"{SERVICE}/UnaryUnary": 1}, unlimited=frozenset({f"{SERVICE}/UnaryStream"}), others=1)
    async with running_kinds(lines, admission=chosen) as running:
        held = [running.start(kind, said("wait")) for kind in ("StreamUnary", "UnaryUnary", *["UnaryStream"] * 3)]
        await until(lambda: running.guard.under_way.calls == len(held))
        for kind in ("Open", "StreamUnary", "UnaryUnary"):
            await refusal(running.start(kind, said("hello")))
        running.kinds.let_go.set()
        assert await running.call("UnaryStream", said("hello")) == ["hello 1", "hello 1"]
        for call in held:
            call.cancel()


async def test_writes_are_refused_before_checks_and_health_is_always_told(pair: Pair, people: People) -> None:
    owner = await people.person()
    acme = await people.organization(owner)
    async with few_at_once(pair) as few:
        create, check = few.create(owner, acme), few.check(owner, acme)
        async with locked(pair.tenancy.database_url, "SELECT FROM organizations FOR UPDATE"):
            held = create("one")
            await few.under_way(few.tenancy, 1)
            await refusal(create("two"))
            assert (await check()).allowed
            await healthy(few.tenancy.channel)
        await held
        await create("two")


async def test_too_many_checks_are_refused_while_health_passes(pair: Pair, people: People) -> None:
    owner = await people.person()
    acme = await people.organization(owner)
    async with few_at_once(pair) as few:
        check = few.check(owner, acme)
        await check()
        async with locked(pair.tenancy.database_url, "LOCK TABLE organization_members"):
            held = [check() for _ in range(FEW)]
            await few.under_way(few.tenancy, FEW)
            await refusal(check())
            edge, asked = AuthorizationStub(few.tenancy.channel), edge_request(headers=dict(owner.metadata))
            of_envoy = [edge.Check(asked) for _ in range(FEW)]  # these have a limit of their own
            await few.under_way(few.tenancy, 2 * FEW)
            await refusal(edge.Check(asked))
            await healthy(few.tenancy.channel)
        assert all(answer.allowed for answer in await asyncio.gather(*held))
        assert all(answer.HasField("ok_response") for answer in await asyncio.gather(*of_envoy))
        assert (await check()).allowed


async def test_identity_full_of_other_calls_still_says_whose_sessions_these_are(pair: Pair, people: People) -> None:
    owner = await people.person()
    acme = await people.organization(owner)
    async with few_at_once(pair) as few:
        users, sessions = UserServiceStub(few.identity.channel), SessionServiceStub(few.identity.channel)
        async with locked(
            pair.identity.database_url, f"SELECT FROM users WHERE user_id = '{owner.user_id}' FOR UPDATE"
        ):
            held = users.SuspendUser(SuspendUserRequest(user_id=owner.user_id), metadata=AS_OPERATOR)
            await few.under_way(few.identity, 1)
            await refusal(users.GetUser(GetUserRequest(user_id=owner.user_id), metadata=AS_OPERATOR))
            await sessions.ValidateSession(ValidateSessionRequest(token=owner.token), metadata=AS_OPERATOR)
            assert (await few.check(owner, acme)()).allowed
            await healthy(few.identity.channel)
        await held
        await users.GetUser(GetUserRequest(user_id=owner.user_id), metadata=AS_OPERATOR)


async def test_in_a_burst_on_one_connection_everybody_is_told(pair: Pair, people: People) -> None:
    """Not shed by gRPC as CANCELLED, without a word: for that one connection has too few streams."""
    owner = await people.person()
    acme = await people.organization(owner)
    async with few_at_once(pair) as few:
        check = few.check(owner, acme)
        outcomes = await asyncio.gather(*[check() for _ in range(3_000)], return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
        assert 0 < len(refused) < len(outcomes)
        for error in refused:
            failure = read(error)
            assert failure.reason == "OVERLOADED"
            assert failure.retry_after
        assert all(outcome.allowed for outcome in outcomes if not isinstance(outcome, BaseException))
        assert few.tenancy.server._guard.admission.refused == len(refused)


@dataclass
class Few:
    """Both services, with FEW checks at a time and one of all else."""

    identity: Service
    tenancy: Service

    def check(self, person: TestPerson, organization_id: str) -> Callable[[], Any]:
        asked = CheckAccessRequest(organization_id=organization_id, permission="projects:create")
        stub = AccessServiceStub(self.tenancy.channel)
        return lambda: stub.CheckAccess(asked, metadata=person.metadata, timeout=30)

    def create(self, person: TestPerson, organization_id: str) -> Callable[[str], Any]:
        stub = ProjectServiceStub(self.tenancy.channel)
        return lambda slug: stub.CreateProject(
            CreateProjectRequest(organization_id=organization_id, slug=slug), metadata=person.metadata
        )

    async def under_way(self, service: Service, count: int) -> None:
        """Waits for so many calls."""
        await until(lambda: service.server._guard.under_way.calls == count)


@asynccontextmanager
async def few_at_once(pair: Pair) -> AsyncIterator[Few]:
    few = {"max_calls_under_way": FEW}
    with pytest.MonkeyPatch.context() as patch:
        # They wait until we let go, however slow we are.
        patch.setattr(tenancy_check, "BATCH_TIMEOUT", 30.0)
        patch.setitem(database.SESSION_SETTINGS, "lock_timeout", "0")
        patch.setitem(database.SESSION_SETTINGS, "statement_timeout", "0")
        async with running_identity(pair.identity_settings.model_copy(update=few)) as identity:
            behind = {"identity_address": identity.address}
            async with running_tenancy(pair.tenancy_settings.model_copy(update=few | behind)) as tenancy:
                await until_serving(identity.channel)
                await until_serving(tenancy.channel)
                yield Few(identity, tenancy)


@asynccontextmanager
async def locked(url: str, statement: str) -> AsyncIterator[None]:
    async with await psycopg.AsyncConnection.connect(url) as holding:
        await holding.execute(statement)
        yield


async def healthy(channel: grpc.aio.Channel) -> None:
    stub: Any = HealthStub(channel)
    assert (await stub.Check(HealthCheckRequest())).status == HealthCheckResponse.SERVING


async def until_serving(channel: grpc.aio.Channel) -> None:
    stub: Any = HealthStub(channel)
    watch = stub.Watch(HealthCheckRequest())
    async with asyncio.timeout(10):
        while (await watch.read()).status != HealthCheckResponse.SERVING:
            pass
    watch.cancel()


async def ended(call: Coroutine[Any, Any, Any]) -> None:
    with suppress(grpc.aio.AioRpcError):
        await call
