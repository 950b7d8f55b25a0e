"""Many checks at once are few statements, and with batching or without every one gets its own answer."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from protos.tenancy.v1 import access_pb2 as pb
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from tenancy_service.check import MOST_BATCHES
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, Service, running_tenancy
from tenantry.testing.people import People, TestPerson

AT_ONCE = 100
COUNT = """SELECT d.datname, sum(s.calls)
             FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
            WHERE s.query LIKE '%WITH ORDINALITY%' GROUP BY d.datname"""
WAITING = """SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%WITH ORDINALITY%'"""


@pytest.fixture(params=[True, False], ids=["batching", "one by one"])
async def tenancy_too(request: pytest.FixtureRequest, pair: Pair) -> AsyncIterator[tuple[Service, bool]]:
    settings = pair.tenancy_settings.model_copy(update={"batching": request.param})
    async with running_tenancy(settings) as tenancy:
        yield tenancy, request.param


async def statements(databases: Databases, pair: Pair) -> list[int]:
    """How often the pair's two hot statements ran: identity's and tenancy's."""
    async with await psycopg.AsyncConnection.connect(databases.postgres.url(), autocommit=True) as admin:
        await admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        counts: dict[str, int] = dict(await (await admin.execute(COUNT)).fetchall())
    names = [service.database_url.rpartition("/")[2] for service in (pair.identity, pair.tenancy)]
    return [int(counts.get(name, 0)) for name in names]


async def test_everybody_gets_their_own_answer_and_batches_are_few_statements(
    pair: Pair, people: People, databases: Databases, tenancy_too: tuple[Service, bool]
) -> None:
    tenancy, batching = tenancy_too
    ada = await people.person()
    crowd = await people.persons(AT_ONCE)
    acme = await people.organization(ada, MEMBER=crowd[::2])
    api = await people.project(acme, ada)
    access = AccessServiceStub(tenancy.channel)
    question = pb.CheckAccessRequest(project_id=api, permission="project:read")
    before = await statements(databases, pair)

    async def check(person: TestPerson) -> tuple[str, bool]:
        answer = await access.CheckAccess(question, metadata=person.metadata)
        return answer.user_id, answer.allowed

    answers = await asyncio.gather(*[check(person) for person in crowd])
    assert answers == [(person.user_id, n % 2 == 0) for n, person in enumerate(crowd)]
    ran = [now - then for now, then in zip(await statements(databases, pair), before, strict=True)]
    if batching:
        assert all(1 <= count <= AT_ONCE / 5 for count in ran), ran
    else:
        assert ran == [AT_ONCE, AT_ONCE]


async def test_only_a_few_batches_of_callers_are_under_way_at_a_time_and_all_are_answered(
    pair: Pair, people: People
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    access = AccessServiceStub(pair.tenancy.channel)
    request = pb.BatchCheckAccessRequest(
        requests=[pb.CheckAccessRequest(organization_id=acme, permission="organization:read")]
    )
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as holding:
        await holding.execute("LOCK TABLE organization_members")
        calls = [asyncio.ensure_future(access.BatchCheckAccess(request, metadata=ada.metadata)) for _ in range(20)]
        async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url, autocommit=True) as looking:
            most = 0
            async with asyncio.timeout(5):
                while most < MOST_BATCHES:
                    [(most,)] = await (await looking.execute(WAITING)).fetchall()
            await asyncio.sleep(0.1)  # for more to come, and they give up after 500 ms
            [(most,)] = await (await looking.execute(WAITING)).fetchall()
    assert most == MOST_BATCHES
    for response in await asyncio.gather(*calls):
        assert [result.answer.allowed for result in response.results] == [True]
