"""Every mutation sent again with its `request_id`: after an answer, and after a line that broke before the answer."""

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest

from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import People
from tests.calls import fails
from tests.proxy import Proxy
from tests.tenancy.mutations import ROWS, Mutation, Place, Row
from tests.tenancy.rpcs import METHODS, call, everything_of

CLAIM = """INSERT INTO request_results (caller, method, request_id, fingerprint)
           VALUES (%s, %s, %s, '')"""
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
STORED = "SELECT response FROM request_results WHERE request_id = %s AND response IS NOT NULL"


def test_every_rpc_with_a_request_id_has_a_row() -> None:
    with_request_id = {method.name for method in METHODS.values() if "request_id" in method.input_type.fields_by_name}
    assert ROWS.keys() == with_request_id


def test_every_rpc_that_changes_something_takes_a_request_id() -> None:
    reads = ("Get", "List", "Check", "BatchCheck", "Explain", "Stream")
    changing = {method.name for method in METHODS.values() if not method.name.startswith(reads)}
    assert changing == ROWS.keys()


async def prepared(pair: Pair, people: People, row: Row) -> tuple[Place, Mutation]:
    place = await Place(pair, people).furnished()
    mutation = await row(place)
    mutation.request.request_id = mutation.another.request_id = str(uuid4())
    return place, mutation


async def audited(pair: Pair, organization_id: str) -> Counter[str]:
    return Counter(json.loads(row)["action"] for row in (await everything_of(pair, organization_id))["audit_events"])


def where(place: Place, response: Any) -> str:
    """The organization it was about."""
    has_its_own = "organization" in response.DESCRIPTOR.fields_by_name
    return response.organization.organization_id if has_its_own else place.acme


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
async def test_a_repeat_gets_the_same_answer_and_changes_nothing(pair: Pair, people: People, row: Row) -> None:
    place, mutation = await prepared(pair, people, row)
    before = await everything_of(pair, place.acme)
    first = await call(pair.tenancy.channel, mutation.request, mutation.metadata)
    organization_id = where(place, first)
    audit = await audited(pair, organization_id)
    if organization_id == place.acme:
        audit -= Counter(json.loads(row)["action"] for row in before["audit_events"])
    assert audit == Counter(mutation.actions)

    after = await everything_of(pair, organization_id)
    again = await call(pair.tenancy.channel, mutation.request, mutation.metadata)
    assert again.SerializeToString(deterministic=True) == first.SerializeToString(deterministic=True)
    assert await everything_of(pair, organization_id) == after
    async with fails(Reason.REQUEST_ID_REUSED):
        await call(pair.tenancy.channel, mutation.another, mutation.metadata)
    assert await everything_of(pair, organization_id) == after


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
async def test_a_call_whose_answer_was_lost_gets_it_by_its_repeat(pair: Pair, people: People, row: Row) -> None:
    place, mutation = await prepared(pair, people, row)
    before = await everything_of(pair, place.acme)
    stored = await lost_answer(pair, mutation)
    again = await call(pair.tenancy.channel, mutation.request, mutation.metadata)
    assert again == type(again).FromString(stored)
    organization_id = where(place, again)
    audit = await audited(pair, organization_id)
    if organization_id == place.acme:
        audit -= Counter(json.loads(row)["action"] for row in before["audit_events"])
    assert audit == Counter(mutation.actions)


async def lost_answer(pair: Pair, mutation: Mutation) -> bytes:
    """Cut the line between the commit and the answer; what was to be answered.

    The call is held by a row in its way until the line is frozen, so that its answer cannot get through.
    """
    async with (
        Proxy(pair.tenancy.address) as proxy,
        grpc.aio.insecure_channel(proxy.address) as channel,
        await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as ours,
        await psycopg.AsyncConnection.connect(pair.tenancy.database_url, autocommit=True) as watching,
    ):
        key = mutation.caller, mutation.request.DESCRIPTOR.full_name, mutation.request.request_id
        await ours.execute(CLAIM, key)
        calling = asyncio.ensure_future(call(channel, mutation.request, mutation.metadata, timeout=20))
        while await value(watching, WAITING, ours.info.backend_pid) == 0:
            assert not calling.done(), await calling
        proxy.freeze()
        await ours.rollback()
        while (stored := await value(watching, STORED, mutation.request.request_id)) is None:
            assert not calling.done()
        proxy.cut()
        with pytest.raises(grpc.aio.AioRpcError) as lost:
            await calling
        assert lost.value.code() is grpc.StatusCode.UNAVAILABLE
        assert isinstance(stored, bytes)
        return stored


async def value(connection: "psycopg.AsyncConnection[Any]", query: str, of: object) -> object:
    row = await (await connection.execute(query.encode(), (of,))).fetchone()
    return row[0] if row else None
