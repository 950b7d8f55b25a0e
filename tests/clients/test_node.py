"""The example in Node, as people start it, on real services: its story, and what its client does when calls fail."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import grpc
import psycopg
import pytest

from protos.identity.v1.credentials_pb2 import StartPasswordResetRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from protos.tenancy.v1.organizations_pb2 import GetOrganizationRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from shared.admission import RETRY_AFTER
from tenantry.ports import free_port
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, running_pair
from tenantry.testing.people import People, TestPerson
from tests.clients.node import EXAMPLE, HERE, Told, run, running
from tests.gateway.gateways import Gateway, running_gateway
from tests.npm import install
from tests.proxy import Proxy

OVER_GRPC, OVER_REST = EXAMPLE / "over-grpc.js", EXAMPLE / "over-rest.js"
STORY = [
    "A sign-up is refused: BAD_REQUEST",
    "  email: not an email address such as ada@example.com",
    "  password: 6 characters, at least 15 without a second factor",
    "Ada and Bo sign up, confirm their addresses and sign in",
    "Another password is refused: SIGN_IN_FAILED",
    "Ada creates an organization; sent twice it is one",
    "Bo wants the same slug: SLUG_TAKEN",
    "Bo accepts an invitation and sees api, web, docs",
    "May Ada change docs? yes, owners may do everything",
    "May Bo? no, VIEWER, inherited as MEMBER of the organization; project:update needs ADMIN",
    "Bo tries all the same: PERMISSION_DENIED",
    "Ada makes Bo its ADMIN. May Bo now? yes, ADMIN, set on this project",
    "Bo signs out. The very next check: SESSION_INVALID",
]
CROWD = 40


@dataclass
class Cut:
    """`said` is what the program printed in the end."""

    proxy: Proxy
    ending: "asyncio.Task[Told]"
    said: str = ""


@pytest.fixture(scope="module", autouse=True)
def node() -> None:
    install(EXAMPLE)


@pytest.fixture(scope="module")
async def gateway(pair: Pair) -> AsyncIterator[Gateway]:
    async with running_gateway(pair) as found:
        yield found


@pytest.fixture
async def unthrottled(pair: Pair) -> AsyncIterator[None]:
    """All tests call from one address; what those before have used up is forgotten, and what this one does."""
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url, autocommit=True) as connection:
        await connection.execute("DELETE FROM login_throttle")
        yield
        await connection.execute("DELETE FROM login_throttle")


def places(pair: Pair) -> dict[str, str]:
    return {
        "IDENTITY_ADDRESS": pair.identity.address,
        "TENANCY_ADDRESS": pair.tenancy.address,
        "MAIL_FOLDER": str(pair.mail_folder),
    }


@pytest.mark.usefixtures("unthrottled")
async def test_the_story_over_grpc_is_told_to_its_end(pair: Pair) -> None:
    told = await run(OVER_GRPC, **places(pair))
    assert (told.status, told.errors) == (0, "")
    assert told.lines == STORY


@pytest.mark.usefixtures("unthrottled")
async def test_the_same_story_is_told_over_rest(pair: Pair, gateway: Gateway) -> None:
    told = await run(OVER_REST, GATEWAY_URL=gateway.url, MAIL_FOLDER=str(pair.mail_folder))
    assert (told.status, told.errors) == (0, "")
    assert told.lines == STORY


async def test_it_ends_with_1_and_says_why_where_nobody_answers() -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    for told in await asyncio.gather(
        run(OVER_GRPC, IDENTITY_ADDRESS=nowhere, TENANCY_ADDRESS=nowhere),
        run(OVER_REST, GATEWAY_URL=f"http://{nowhere}"),
    ):
        assert (told.status, told.lines) == (1, [])
        assert told.errors.startswith("code 14: ")


@pytest.mark.usefixtures("unthrottled")
async def test_a_wait_of_minutes_is_told_instead_of_waited_for(pair: Pair, gateway: Gateway) -> None:
    users = UserServiceStub(pair.identity.channel)
    for _ in range(20):  # as many mails as an address of the network may ask for at once
        await users.StartPasswordReset(StartPasswordResetRequest(email=f"{uuid4().hex}@example.com"))
    both = await asyncio.gather(run(OVER_GRPC, **places(pair)), run(OVER_REST, GATEWAY_URL=gateway.url))
    for told in both:
        assert (told.status, told.lines) == (1, STORY[:3])
        assert re.fullmatch(r"THROTTLED: .+\ntry again in 1[78]\d s\n", told.errors)


@pytest.fixture(scope="module")
async def narrow(databases: Databases) -> AsyncIterator[Pair]:
    """A pair that refuses all but a few calls at a time."""
    async with running_pair(databases, tenancy={"MAX_CALLS_UNDER_WAY": 8}) as found:
        yield found


@pytest.fixture(scope="module")
def people_of_narrow(narrow: Pair) -> People:
    return People(narrow)


@pytest.mark.parametrize("way", ["gRPC", "REST"])
async def test_refused_because_of_overload_every_call_waits_and_is_answered(
    narrow: Pair, people_of_narrow: People, way: str
) -> None:
    admission = narrow.tenancy.server._guard.admission
    ada = await people_of_narrow.person("ada")
    place = await people_of_narrow.organization(ada)
    refused, began = admission.refused, time.monotonic()
    if way == "gRPC":
        addresses = narrow.identity.address, narrow.tenancy.address
        told = await run(HERE / "burst.mjs", *addresses, ada.token, place, str(CROWD))
    else:
        async with running_gateway(narrow) as gateway:
            program = HERE / "burst_over_rest.mjs"
            told = await run(program, ada.token, place, str(CROWD), GATEWAY_URL=gateway.url)
    assert (told.status, told.lines) == (0, [str(CROWD)]), told.errors
    assert admission.refused > refused
    assert time.monotonic() - began >= RETRY_AFTER[0]


@asynccontextmanager
async def cut_off(pair: Pair, caller: TestPerson, method: str, request: dict[str, str]) -> AsyncIterator[Cut]:
    """Around what must have happened before the line is cut on which the answer would come."""
    async with Proxy(pair.tenancy.address) as proxy:
        arguments = [pair.identity.address, proxy.address, caller.token, method, json.dumps(request)]
        async with running(HERE / "lost_answer.mjs", *arguments) as program:
            assert await program.line() == "connected"
            proxy.freeze_answers()
            cut = Cut(proxy, asyncio.create_task(program.ends("go\n")))
            yield cut
            proxy.cut()
            proxy.thaw()
            told = await cut.ending
    assert told.status == 0, told.errors
    [cut.said] = told.lines


@pytest.mark.parametrize("request_id", [str(uuid4()), ""], ids=["with a request_id", "without"])
async def test_a_write_whose_answer_was_lost_is_sent_again_only_with_a_request_id(
    pair: Pair, people: People, request_id: str
) -> None:
    ada, slug = await people.person("ada"), people.slug()
    async with cut_off(pair, ada, "createOrganization", {"slug": slug, "requestId": request_id}) as cut:
        created = await until_created(pair, ada, slug)
    if request_id:
        assert json.loads(cut.said)["organization"]["organizationId"] == created
    else:
        assert cut.said == str(grpc.StatusCode.UNAVAILABLE.value[0])


async def test_a_read_whose_answer_was_lost_is_made_again(pair: Pair, people: People) -> None:
    ada = await people.person("ada")
    place = await people.organization(ada)
    async with cut_off(pair, ada, "getOrganization", {"organizationId": place}) as cut:
        await cut.proxy.holds.wait()
    assert json.loads(cut.said)["organization"]["organizationId"] == place


async def until_created(pair: Pair, owner: TestPerson, slug: str) -> str:
    """The id of the organization, as soon as there is one."""
    stub = OrganizationServiceStub(pair.tenancy.channel)
    while True:
        try:
            answer = await stub.GetOrganization(GetOrganizationRequest(slug=slug), metadata=owner.metadata)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.PERMISSION_DENIED  # noqa: PT017  it is not there yet
        else:
            return answer.organization.organization_id
