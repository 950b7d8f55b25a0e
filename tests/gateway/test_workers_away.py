"""Workers that are away: their share of the calls goes to the others; nobody there is said at once, and as JSON."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TypeVar

import grpc
import httpx
import pytest

from protos.tenancy.v1.organizations_pb2 import CreateOrganizationRequest, ListOrganizationsRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from shared.errors import ServiceError
from shared.reasons import Reason
from tenantry.gateway.configuration import MOST_CALLS
from tenantry.ports import free_port
from tenantry.testing.pair import Pair
from tenantry.testing.people import People
from tests.calls import Failure, fails
from tests.gateway.gateways import running_gateway
from tests.gateway.test_rest import error

Answer = TypeVar("Answer")


async def test_no_call_fails_while_one_of_two_workers_cannot_be_reached(pair: Pair, people: People) -> None:
    ada = await people.person()
    both = f"{pair.tenancy.address},127.0.0.1:{free_port()}"
    async with running_gateway(pair, TENANCY_ADDRESSES=both) as gateway:
        stub = OrganizationServiceStub(gateway.channel)
        for _ in range(20):
            request = CreateOrganizationRequest(slug=people.slug(), display_name="Acme")
            await stub.CreateOrganization(request, metadata=ada.metadata)
            listed = await stub.ListOrganizations(ListOrganizationsRequest(), metadata=ada.metadata)
            assert listed.organizations
        assert (await gateway.call("GET", "/v1/organizations", ada.token)).status_code == 200


async def test_nobody_there_is_said_as_json_and_over_grpc(pair: Pair, people: People) -> None:
    ada = await people.person()
    async with running_gateway(pair, TENANCY_ADDRESSES=f"127.0.0.1:{free_port()}") as gateway:
        assert error(await gateway.call("GET", "/v1/organizations", ada.token)) == (503, 14, "SERVICE_UNAVAILABLE")
        assert (await gateway.call("GET", "/v1/sessions", ada.token)).status_code == 200  # identity's
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await OrganizationServiceStub(gateway.channel).ListOrganizations(
                ListOrganizationsRequest(), metadata=ada.metadata
            )
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """The address of a worker that takes calls and never answers."""
    hanging = asyncio.Event()

    async def never_answers(_reader: object, writer: asyncio.StreamWriter) -> None:
        await hanging.wait()
        writer.close()

    server = await asyncio.start_server(never_answers, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    hanging.set()
    server.close()


async def first_of(calls: "list[asyncio.Task[Answer]]") -> "asyncio.Task[Answer]":
    """The one that ends first, of as many as are let in and one more. Envoy's own look at its health is a call, too."""
    [first, *_], waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    for call in waiting:
        call.cancel()
    assert len(waiting) >= MOST_CALLS - 5
    return first


async def test_more_calls_than_the_workers_let_in_are_refused_at_once(pair: Pair, people: People, silent: str) -> None:
    ada = await people.person()
    async with running_gateway(pair, TENANCY_ADDRESSES=silent) as gateway, asyncio.TaskGroup() as group:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30, limits=limits) as many:
            headers = {"authorization": f"Bearer {ada.token}"}
            calls = [group.create_task(many.get("/v1/organizations", headers=headers)) for _ in range(MOST_CALLS + 1)]
            refused = (await first_of(calls)).result()
    assert error(refused) == (429, 8, "OVERLOADED")
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["details"][1]["retryDelay"] == "1s"


async def test_over_grpc_they_are_refused_as_the_services_would(pair: Pair, people: People, silent: str) -> None:
    ada = await people.person()
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(running_gateway(pair, TENANCY_ADDRESSES=silent))
        alone = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own, on which 100 calls are let in
        channels = [grpc.aio.insecure_channel(gateway.address, alone) for _ in range(4)]
        stubs = [OrganizationServiceStub(await stack.enter_async_context(channel)) for channel in channels]

        async def call(stub: OrganizationServiceStub) -> Failure:
            async with fails(Reason.OVERLOADED) as refused:
                await stub.ListOrganizations(ListOrganizationsRequest(), metadata=ada.metadata)
            return refused

        calls = [asyncio.create_task(call(stubs[number % 4])) for number in range(MOST_CALLS + 1)]
        refused = (await first_of(calls)).result()
        await asyncio.wait(calls)
    assert refused.retry_after == 1
    assert refused.message == ServiceError(Reason.OVERLOADED).message
