"""Workers that are away: their share of the calls goes to the others; nobody there is said at once, and as JSON."""

import asyncio

import grpc
import httpx
import pytest

from protos.tenancy.v1.organizations_pb2 import CreateOrganizationRequest, ListOrganizationsRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from tenantry.gateway.configuration import MOST_CALLS
from tenantry.ports import free_port
from tenantry.testing.pair import Pair
from tenantry.testing.people import People
from tests.gateway.gateways import running_gateway
from tests.gateway.test_rest import error


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


async def test_more_calls_than_the_workers_let_in_are_refused_at_once(pair: Pair, people: People) -> None:
    ada, hanging = await people.person(), asyncio.Event()

    async def never_answers(_reader: object, writer: asyncio.StreamWriter) -> None:
        await hanging.wait()
        writer.close()

    silent = await asyncio.start_server(never_answers, "127.0.0.1", 0)
    address = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    async with running_gateway(pair, TENANCY_ADDRESSES=address) as gateway, asyncio.TaskGroup() as group:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30, limits=limits) as many:
            headers = {"authorization": f"Bearer {ada.token}"}
            calls = [group.create_task(many.get("/v1/organizations", headers=headers)) for _ in range(MOST_CALLS + 1)]
            [first, *_], waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            for call in waiting:
                call.cancel()
    hanging.set()
    silent.close()
    assert error(first.result()) == (429, 8, "OVERLOADED")
    assert first.result().headers["retry-after"] == "1"
    assert first.result().json()["details"][1]["retryDelay"] == "1s"
    assert len(waiting) >= MOST_CALLS - 5  # Envoy's own look at its health is a call, too
