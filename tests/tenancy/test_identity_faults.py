"""When identity or the database is down, slow or refuses: UNAVAILABLE, never a yes and never a "permission denied"."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from pydantic import SecretStr

from protos.tenancy.v1 import access_pb2 as pb
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from protos.tenancy.v1.organizations_pb2 import ListOrganizationsRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from shared.reasons import Reason
from tenantry.testing.pair import Pair, Service, running_identity, running_tenancy
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import code, fails
from tests.proxy import Proxy


@asynccontextmanager
async def tenancy_behind(pair: Pair, address: str, **changes: object) -> AsyncIterator[Service]:
    """Another tenancy on the same data that finds identity at `address`."""
    settings = pair.tenancy_settings.model_copy(update={"identity_address": address, **changes})
    async with running_tenancy(settings) as tenancy:
        yield tenancy


async def question(people: People) -> tuple[pb.CheckAccessRequest, tuple[tuple[str, str], ...]]:
    ada = await people.person()
    api = await people.project(await people.organization(ada), ada)
    return pb.CheckAccessRequest(project_id=api, permission="project:read"), ada.metadata


async def test_identity_down_is_unavailable_for_every_rpc_that_needs_a_session(pair: Pair, people: People) -> None:
    asked, metadata = await question(people)
    async with tenancy_behind(pair, "127.0.0.1:1") as tenancy:
        async with fails(Reason.IDENTITY_UNAVAILABLE):
            await AccessServiceStub(tenancy.channel).CheckAccess(asked, metadata=metadata)
        async with fails(Reason.IDENTITY_UNAVAILABLE):
            await OrganizationServiceStub(tenancy.channel).ListOrganizations(
                ListOrganizationsRequest(), metadata=metadata
            )


async def test_identity_down_does_not_matter_to_questions_about_users(pair: Pair, people: People) -> None:
    about_ada, metadata = await question(people)
    ada_id = (await AccessServiceStub(pair.tenancy.channel).CheckAccess(about_ada, metadata=metadata)).user_id
    about_session = pb.CheckAccessRequest(session_token="s:x.y")
    about_session.MergeFrom(about_ada)
    about_ada.user_id = ada_id
    async with tenancy_behind(pair, "127.0.0.1:1") as tenancy:
        access = AccessServiceStub(tenancy.channel)
        # At once, so that they leave in one batch.
        answers = await asyncio.gather(
            *[code(access.CheckAccess(asked, metadata=AS_OPERATOR)) for asked in [about_session, about_ada] * 10]
        )
        assert answers == ["UNAVAILABLE", "OK"] * 10
        both = pb.BatchCheckAccessRequest(requests=[about_ada, about_session])
        async with fails(Reason.IDENTITY_UNAVAILABLE):
            await access.BatchCheckAccess(both, metadata=AS_OPERATOR)


async def test_identity_refusing_our_key_is_unavailable(pair: Pair, people: People) -> None:
    asked, metadata = await question(people)
    wrong = {"identity_service_key": SecretStr("tenancy.wrong")}
    async with tenancy_behind(pair, pair.identity.address, **wrong) as tenancy, fails(Reason.IDENTITY_UNAVAILABLE):
        await AccessServiceStub(tenancy.channel).CheckAccess(asked, metadata=metadata)


async def test_identity_slow_is_unavailable_after_its_time_and_well_again_afterwards(
    pair: Pair, people: People
) -> None:
    asked, metadata = await question(people)
    async with (
        Proxy(pair.identity.address) as proxy,
        tenancy_behind(pair, proxy.address, identity_timeout_seconds=0.3) as tenancy,
    ):
        access = AccessServiceStub(tenancy.channel)
        assert (await access.CheckAccess(asked, metadata=metadata)).allowed
        proxy.freeze()
        start = time.monotonic()
        async with fails(Reason.IDENTITY_UNAVAILABLE):
            await access.CheckAccess(asked, metadata=metadata)
        assert 0.25 < time.monotonic() - start < 2
        proxy.thaw()
        assert (await access.CheckAccess(asked, metadata=metadata)).allowed


async def test_a_batch_that_fails_refuses_all_its_callers_and_the_next_one_works(pair: Pair, people: People) -> None:
    asked, metadata = await question(people)
    async with (
        Proxy(pair.identity.address) as proxy,
        tenancy_behind(pair, proxy.address, identity_timeout_seconds=0.3) as tenancy,
    ):
        access = AccessServiceStub(tenancy.channel)
        proxy.freeze()
        calls = [access.CheckAccess(asked, metadata=metadata) for _ in range(50)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        codes = {error.code() for error in outcomes if isinstance(error, grpc.aio.AioRpcError)}
        assert len(outcomes) == 50
        assert codes == {grpc.StatusCode.UNAVAILABLE}
        proxy.thaw()
        assert (await access.CheckAccess(asked, metadata=metadata)).allowed


async def test_a_callers_deadline_holds_while_identity_is_slow_and_its_neighbours_are_answered(
    pair: Pair, people: People
) -> None:
    asked, metadata = await question(people)
    async with Proxy(pair.identity.address) as proxy, tenancy_behind(pair, proxy.address) as tenancy:
        access = AccessServiceStub(tenancy.channel)
        await access.CheckAccess(asked, metadata=metadata)
        proxy.freeze()
        hasty = access.CheckAccess(asked, metadata=metadata, timeout=0.2)
        patient = asyncio.ensure_future(access.CheckAccess(asked, metadata=metadata, timeout=4))
        given_up = access.CheckAccess(asked, metadata=metadata)
        start = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await hasty
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - start < 1
        given_up.cancel()
        proxy.thaw()
        assert (await patient).allowed


async def test_tenancy_is_back_as_soon_as_identity_is(pair: Pair, people: People) -> None:
    asked, metadata = await question(people)
    async with Proxy(pair.identity.address) as proxy, tenancy_behind(pair, proxy.address) as tenancy:
        access = AccessServiceStub(tenancy.channel)
        async with running_identity(pair.identity_settings) as identity:
            proxy.target = identity.address
            assert (await access.CheckAccess(asked, metadata=metadata)).allowed
        proxy.cut()
        async with fails(Reason.IDENTITY_UNAVAILABLE):
            await access.CheckAccess(asked, metadata=metadata)
        proxy.target = pair.identity.address
        async with asyncio.timeout(5):
            while await code(access.CheckAccess(asked, metadata=metadata)) != "OK":  # noqa: ASYNC110 - the channel decides
                await asyncio.sleep(0.05)


async def test_the_database_frozen_is_unavailable_and_well_again_afterwards(pair: Pair, people: People) -> None:
    asked, metadata = await question(people)
    url = pair.tenancy.database_url
    place = url.rpartition("@")[2].partition("/")[0]
    async with Proxy(place) as proxy:
        frozen = SecretStr(url.replace(place, proxy.address))
        async with tenancy_behind(pair, pair.identity.address, database_url=frozen) as tenancy:
            access = AccessServiceStub(tenancy.channel)
            assert (await access.CheckAccess(asked, metadata=metadata)).allowed
            proxy.freeze()
            start = time.monotonic()
            async with fails(Reason.DATABASE_UNAVAILABLE):
                await access.CheckAccess(asked, metadata=metadata)
            assert time.monotonic() - start < 4
            proxy.thaw()
            assert (await access.CheckAccess(asked, metadata=metadata)).allowed
