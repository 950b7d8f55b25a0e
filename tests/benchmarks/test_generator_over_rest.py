"""The load generator of the benchmarks when it sends JSON, through a real Envoy."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from benchmarks import load
from benchmarks.http2 import JSON
from tenantry.testing.pair import Pair
from tenantry.testing.people import People, TestPerson
from tests.gateway.gateways import Gateway, running_gateway


@pytest.fixture(scope="module")
async def gateway(pair: Pair) -> AsyncIterator[Gateway]:
    async with running_gateway(pair) as found:
        yield found


def asked(person: TestPerson, part: str, *, body: dict[str, str] | None = None, path: str = "") -> dict[str, Any]:
    """A request whose answer must hold `part`."""
    sent = json.dumps(body).encode() if body is not None else b""
    headers = {"authorization": f"Bearer {person.token}"}
    return {"body": text(sent), "headers": headers, "answer": text(part.encode()), "path": path}


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def run(gateway: Gateway, path: str, requests: list[dict[str, Any]], calls: int) -> dict[str, Any]:
    plan: dict[str, Any] = {"address": gateway.address, "method": path, "content_type": JSON, "requests": requests}
    plan |= {"holds": True, "in_flight": 8, "seconds": 20, "warm": 0, "calls": calls}
    result, _, _ = await asyncio.to_thread(load.run, plan, lambda: None)
    return result


async def test_each_gets_the_answer_to_their_own_question(gateway: Gateway, people: People) -> None:
    everybody = await people.persons(3)
    question = {"organization_id": await people.organization(everybody[0]), "permission": "organization:read"}
    requests = [asked(each, f'"userId":"{each.user_id}"', body=question) for each in everybody]
    found = await run(gateway, "/v1/access:checkAccess", requests, 60)
    assert (found["right"], found["statuses"]) == (60, {"0": 60})


async def test_a_request_may_have_a_path_of_its_own_and_no_body(gateway: Gateway, people: People) -> None:
    ada = await people.person("ada")
    places = [await people.organization(ada) for _ in range(3)]
    requests = [asked(ada, f'"organizationId":"{each}"', path=f"/v1/organizations/{each}") for each in places]
    assert (await run(gateway, "/", requests, 60))["right"] == 60


async def test_what_is_not_200_fails_the_run(gateway: Gateway, people: People) -> None:
    ada = await people.person("ada")
    with pytest.raises(load.LoadFailed, match=r"status not 200, answer .*PATH_UNKNOWN"):
        await run(gateway, "/v1/nothing", [asked(ada, "", path="")], 1)
