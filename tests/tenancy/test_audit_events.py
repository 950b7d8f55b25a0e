"""AuditService/ListAuditEvents of tenancy: what was done in organizations, and who sees it."""

from typing import Any
from uuid import UUID, uuid4

import grpc
import psycopg
import pytest
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from protos.tenancy.v1 import audit_events_pb2 as pb
from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1.audit_events_pb2_grpc import AuditServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People
from tests import audit_reading
from tests.calls import fails, outcome
from tests.tenancy.rpcs import call

INSERT = """INSERT INTO audit_events
    (organization_id, audit_event_id, action, project_id, target_user_id, actor_user_id, actor_service, ip, user_agent,
     request_id, details, create_time)
    VALUES (%s, %s, %s, %s, %s, %s, %s, '10.1.2.3', 'agent', 'r-1', %s, coalesce(%s::timestamptz, now()))"""


@pytest.fixture
def audit(tenancy: grpc.aio.Channel) -> AuditServiceStub:
    return AuditServiceStub(tenancy)


async def listed(audit: AuditServiceStub, metadata: Metadata = AS_OPERATOR, **fields: Any) -> list[pb.AuditEvent]:
    found: list[pb.AuditEvent] = await audit_reading.listed(audit, pb.ListAuditEventsRequest, metadata, **fields)
    return found


async def ids(audit: AuditServiceStub, metadata: Metadata = AS_OPERATOR, **fields: Any) -> list[str]:
    return [event.audit_event_id for event in await listed(audit, metadata, **fields)]


async def happened(
    pair: Pair,
    organization_id: str,
    action: str = "ORGANIZATION_UPDATED",
    *,
    project: str | None = None,
    target: str | None = None,
    actor: str | None = None,
    service: str | None = None,
    time: str | None = None,
    **details: object,
) -> str:
    """The id of an event in this organization."""
    event_id = uuid7()
    values = (organization_id, event_id, action, project, target, actor, service, Jsonb(details), time)
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        await connection.execute(INSERT, values)
    return str(event_id)


async def test_what_was_done_is_told_with_who_when_to_whom_and_from_where(
    audit: AuditServiceStub, pair: Pair, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    await people.add(acme, bo, "MEMBER")
    change = members.UpdateOrganizationMemberRequest(
        organization_id=acme, user_id=bo.user_id, role=OrgRole.ORG_ROLE_GUEST
    )
    metadata = (*ada.metadata, ("x-request-id", "request-7" + "x" * 100))
    changed = (await call(pair.tenancy.channel, change, metadata)).member
    updated, added, *_ = await listed(audit, ada.metadata, organization_id=acme)
    assert (updated.action, updated.organization_id) == ("MEMBER_UPDATED", acme)
    assert (updated.actor_user_id, updated.target_user_id) == (ada.user_id, bo.user_id)
    assert (updated.actor_service, updated.project_id, updated.invitation_id) == ("", "", "")
    assert updated.session_id == ada.session_id
    assert updated.ip == "127.0.0.1"
    assert updated.user_agent.startswith("grpc-python-asyncio/")
    assert updated.request_id == "request-7" + "x" * 55
    assert dict(updated.details).items() >= {"before": "MEMBER", "after": "GUEST"}.items()
    assert updated.create_time == changed.update_time
    assert UUID(updated.audit_event_id).version == 7
    assert (added.action, added.actor_service, added.actor_user_id) == ("MEMBER_ADDED", "operator", "")


async def test_those_may_read_it_who_hold_audit_read_there(audit: AuditServiceStub, pair: Pair, people: People) -> None:
    ada, adam, bo, cy, outsider = await people.persons(5)
    acme = await people.organization(ada, ADMIN=adam, MEMBER=bo, GUEST=cy)
    other = await people.organization(outsider)
    everything = await ids(audit, organization_id=acme)
    assert len(everything) == 5
    for person in (ada, adam):
        assert await ids(audit, person.metadata, organization_id=acme) == everything
        # A gateway's key beside the session lends them nothing.
        async with fails(Reason.PERMISSION_DENIED):
            await listed(audit, (*person.metadata, *AS_OPERATOR), organization_id=other)
    refused = set()
    for person, organization_id in ((bo, acme), (cy, acme), (outsider, acme), (outsider, str(uuid4()))):
        request = pb.ListAuditEventsRequest(organization_id=organization_id)
        refused.add(await outcome(audit.ListAuditEvents(request, metadata=person.metadata)))
    assert len(refused) == 1
    assert not any(answer.startswith(b"OK") for answer in refused)
    async with fails(Reason.SESSION_REQUIRED):
        await listed(audit, (), organization_id=acme)
    async with fails(Reason.BAD_REQUEST) as failure:
        await listed(audit, ada.metadata)
    assert failure.fields.keys() == {"organization_id"}


async def test_people_do_not_see_from_where_a_service_acted(
    audit: AuditServiceStub, pair: Pair, people: People
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    await happened(pair, acme, service="operator")
    await happened(pair, acme, service="gateway", actor=ada.user_id)
    await happened(pair, acme, actor=ada.user_id)
    for event in (await listed(audit, organization_id=acme))[:3]:
        assert (event.ip, event.user_agent, event.request_id) == ("10.1.2.3", "agent", "r-1")
    own, through_gateway, by_service, *_ = await listed(audit, ada.metadata, organization_id=acme)
    for event in (own, through_gateway):
        assert (event.ip, event.user_agent, event.request_id) == ("10.1.2.3", "agent", "r-1")
    assert (by_service.ip, by_service.user_agent, by_service.request_id) == ("", "", "")
    assert by_service.actor_service == "operator"


async def test_services_see_all_or_those_of_one_organization_even_when_it_is_gone(
    audit: AuditServiceStub, pair: Pair, people: People
) -> None:
    ada = await people.person()
    acme, gone = await people.organization(ada), str(uuid4())
    newest = [await happened(pair, acme), await happened(pair, gone), await happened(pair, acme)][::-1]
    response = await audit.ListAuditEvents(pb.ListAuditEventsRequest(page_size=3), metadata=AS_OPERATOR)
    assert [event.audit_event_id for event in response.audit_events] == newest
    assert await ids(audit, organization_id=gone) == newest[1:2]
    assert await ids(audit, organization_id=str(uuid4())) == []


async def test_pages_hold_every_event_once_newest_first(audit: AuditServiceStub, pair: Pair, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, ADMIN=bo)
    made = [await happened(pair, acme, number=n) for n in range(7)]
    whole = await ids(audit, ada.metadata, organization_id=acme)
    assert whole[:7] == made[::-1]
    for size in (1, 3, len(whole), len(whole) + 1):
        assert await ids(audit, ada.metadata, organization_id=acme, page_size=size) == whole
    request = pb.ListAuditEventsRequest(organization_id=acme, page_size=3)
    token = (await audit.ListAuditEvents(request, metadata=ada.metadata)).next_page_token
    await happened(pair, acme)
    assert await ids(audit, ada.metadata, organization_id=acme, first_token=token) == whole[3:]
    other = await people.organization(ada)
    for metadata, fields in (
        (bo.metadata, {"organization_id": acme}),
        (ada.metadata, {"organization_id": other}),
        (AS_OPERATOR, {}),
        (ada.metadata, {"organization_id": acme, "filter": "action = ORGANIZATION_UPDATED"}),
    ):
        async with fails(Reason.BAD_REQUEST) as failure:
            await listed(audit, metadata, first_token=token, **fields)
        assert failure.fields.keys() == {"page_token"}


async def test_filters_choose_by_each_field(audit: AuditServiceStub, pair: Pair, people: People) -> None:
    acme, other, api, ada, bo = (str(uuid4()) for _ in range(5))
    old = await happened(pair, acme, "MEMBER_ADDED", service="billing", target=bo, time="2026-01-01T00:00:00Z")
    mid = await happened(pair, acme, "PROJECT_ROLE_SET", actor=ada, target=bo, project=api, time="2026-02-01T00:00:00Z")
    new = await happened(pair, acme, "MEMBER_REMOVED", actor=bo, target=ada, time="2026-03-01T00:00:00Z")
    elsewhere = await happened(pair, other, "MEMBER_ADDED", actor=ada, target=bo, project=api)
    for text, expected in {
        "": [new, mid, old],
        "action = MEMBER_ADDED": [old],
        "action = MEMBER_ADDED OR action = MEMBER_REMOVED": [new, old],
        f"actor_user_id = {ada}": [mid],
        'actor_service = "billing"': [old],
        'actor_service = "nobody"': [],
        f"target_user_id = {bo}": [mid, old],
        f"target_user_id = {bo.upper()} actor_user_id = {ada}": [mid],
        f"project_id = {api}": [mid],
        'create_time >= "2026-02-01T00:00:00Z"': [new, mid],
        'create_time < "2026-02-01T01:00:00+01:00"': [old],
        f'create_time > "2026-01-01T00:00:00Z" AND (actor_user_id = {bo} OR project_id = {api})': [new, mid],
    }.items():
        for size in (1, 0):
            assert await ids(audit, organization_id=acme, filter=text, page_size=size) == expected, text
    assert await ids(audit, filter=f"project_id = {api}") == [elsewhere, mid]


async def test_bad_fields_are_named_at_once(audit: AuditServiceStub) -> None:
    request = pb.ListAuditEventsRequest(page_size=-1, organization_id="acme", filter="action = NOTHING")
    async with fails(Reason.BAD_REQUEST) as failure:
        await audit.ListAuditEvents(request, metadata=AS_OPERATOR)
    assert failure.fields.keys() == {"page_size", "organization_id", "filter"}
    for text in ("user_id = 1", "target_user_id = ada", "project_id < 1", "action = 'a\0'", "x" * 1001):
        async with fails(Reason.BAD_REQUEST) as failure:
            await audit.ListAuditEvents(pb.ListAuditEventsRequest(filter=text), metadata=AS_OPERATOR)
        assert failure.fields.keys() == {"filter"}


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("true", "pk_audit_events"),
        ("actor_user_id = '00000000-0000-7000-8000-000000000007'", "ix_audit_events_actor"),
        ("target_user_id = '00000000-0000-7000-8000-000000000007'", "ix_audit_events_target"),
    ],
)
async def test_pages_of_an_organization_come_from_an_index(many_events: str, where: str, index: str) -> None:
    here = "organization_id = '00000000-0000-7000-9000-000000000001'"
    async with await psycopg.AsyncConnection.connect(many_events) as connection:
        query = f"EXPLAIN SELECT * FROM audit_events WHERE {here} AND {where} ORDER BY audit_event_id DESC LIMIT 51"
        plan = "\n".join(row[0] for row in await (await connection.execute(query.encode())).fetchall())
    assert index in plan, plan
    assert "Seq Scan" not in plan


@pytest.fixture(scope="module")
async def many_events(databases: Databases) -> str:
    """The address of a database with 100,000 events in 100 organizations, by 100 people each to 100 others."""
    url = databases.owner_url("tenancy", databases.copy("tenancy"))
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(
            """INSERT INTO audit_events (organization_id, audit_event_id, action, actor_user_id, target_user_id)
               SELECT ('00000000-0000-7000-9000-' || lpad((n % 100)::text, 12, '0'))::uuid,
                      (lpad(to_hex(1790000000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
                      'MEMBER_UPDATED',
                      ('00000000-0000-7000-8000-' || lpad((n / 100 % 100)::text, 12, '0'))::uuid,
                      ('00000000-0000-7000-8000-' || lpad((n / 1000)::text, 12, '0'))::uuid
                 FROM generate_series(1, 100000) n"""
        )
        await connection.commit()
        await connection.set_autocommit(True)
        await connection.execute("VACUUM ANALYZE audit_events")
    return url
