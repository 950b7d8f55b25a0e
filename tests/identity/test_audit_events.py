"""AuditService/ListAuditEvents: what was done, who sees it, and that nobody changes it."""

from typing import Any
from uuid import UUID, uuid4

import grpc
import psycopg
import pytest
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from protos.identity.v1 import audit_events_pb2 as pb
from protos.identity.v1 import sessions_pb2, users_pb2
from protos.identity.v1.audit_events_pb2_grpc import AuditServiceStub
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests import audit_reading
from tests.calls import fails
from tests.identity.conftest import Rows

INSERT = """INSERT INTO audit_events
    (audit_event_id, action, user_id, actor_user_id, actor_service, ip, user_agent, request_id, details, create_time)
    VALUES (%s, %s, %s, %s, %s, '10.1.2.3', 'agent', 'r-1', %s, coalesce(%s::timestamptz, now()))"""


@pytest.fixture
def audit(identity: grpc.aio.Channel) -> AuditServiceStub:
    return AuditServiceStub(identity)


async def listed(audit: AuditServiceStub, metadata: Any = AS_OPERATOR, **fields: Any) -> list[pb.AuditEvent]:
    found: list[pb.AuditEvent] = await audit_reading.listed(audit, pb.ListAuditEventsRequest, metadata, **fields)
    return found


async def happened(
    rows: Rows,
    person: TestPerson | None,
    action: str = "USER_UPDATED",
    *,
    by: str | None = None,
    service: str | None = None,
    time: str | None = None,
    **details: object,
) -> str:
    """The id of an event about this person."""
    event_id = uuid7()
    about = UUID(person.user_id) if person else None
    values = (event_id, action, about, UUID(by) if by else None, service, Jsonb(details), time)
    await rows.execute(INSERT, values)
    return str(event_id)


async def test_what_was_done_is_told_with_who_when_and_from_where(
    audit: AuditServiceStub, users: UserServiceStub, sessions: SessionServiceStub, people: People
) -> None:
    ada = await people.person("ada")
    change = users_pb2.UpdateUserRequest(user=users_pb2.User(display_name="Ada"))
    metadata = (*ada.metadata, ("x-request-id", "request-7" + "x" * 100))
    changed = await users.UpdateUser(change, metadata=metadata)
    await sessions.RevokeUserSessions(sessions_pb2.RevokeUserSessionsRequest(user_id=ada.user_id), metadata=AS_OPERATOR)
    revoked, updated = await listed(audit, user_id=ada.user_id)
    assert (updated.action, updated.user_id, updated.actor_user_id) == ("USER_UPDATED", ada.user_id, ada.user_id)
    assert updated.session_id == ada.session_id
    assert updated.actor_service == ""
    assert updated.ip == "127.0.0.1"
    assert updated.user_agent.startswith("grpc-python-asyncio/")
    assert updated.request_id == "request-7" + "x" * 55
    assert dict(updated.details) == {"fields": ["display_name"]}
    assert updated.create_time == changed.user.update_time
    assert UUID(updated.audit_event_id).version == 7
    assert (revoked.action, revoked.actor_service, revoked.actor_user_id) == ("SESSIONS_REVOKED", "operator", "")
    assert dict(revoked.details) == {"count": 1}


async def test_people_see_their_own_account_only(audit: AuditServiceStub, people: People, rows: Rows) -> None:
    ada, bo = await people.persons(2)
    mine = await happened(rows, ada)
    await happened(rows, bo)
    await happened(rows, None, "SIGN_IN_FAILED")
    for user_id in ("", ada.user_id):
        seen = await listed(audit, ada.metadata, user_id=user_id)
        assert [event.audit_event_id for event in seen] == [mine]
    for user_id in (bo.user_id, str(uuid4())):
        async with fails(Reason.PERMISSION_DENIED):
            await listed(audit, ada.metadata, user_id=user_id)
    # A gateway's key beside the session lends them nothing.
    seen = await listed(audit, (*ada.metadata, *AS_OPERATOR))
    assert [event.audit_event_id for event in seen] == [mine]
    async with fails(Reason.SESSION_REQUIRED):
        await listed(audit, ())


async def test_people_do_not_see_from_where_a_service_acted(
    audit: AuditServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    await happened(rows, ada, "USER_SUSPENDED", service="operator")
    await happened(rows, ada, by=ada.user_id, service="gateway")
    await happened(rows, ada, "SIGN_IN_FAILED")
    for event in await listed(audit, user_id=ada.user_id):
        assert (event.ip, event.user_agent, event.request_id) == ("10.1.2.3", "agent", "r-1")
    failed, own, suspended = await listed(audit, ada.metadata)
    for event in (failed, own):
        assert (event.ip, event.user_agent, event.request_id) == ("10.1.2.3", "agent", "r-1")
    assert (suspended.ip, suspended.user_agent, suspended.request_id) == ("", "", "")
    assert suspended.actor_service == "operator"


async def test_services_see_all_or_those_of_one_user(audit: AuditServiceStub, people: People, rows: Rows) -> None:
    ada, bo = await people.persons(2)
    about = [await happened(rows, ada), await happened(rows, None, "SIGN_IN_FAILED"), await happened(rows, bo)]
    newest = await audit.ListAuditEvents(pb.ListAuditEventsRequest(page_size=3), metadata=AS_OPERATOR)
    assert [event.audit_event_id for event in newest.audit_events] == about[::-1]
    assert newest.audit_events[1].user_id == ""
    assert [event.audit_event_id for event in await listed(audit, user_id=bo.user_id)] == about[2:]
    assert await listed(audit, user_id=str(uuid4())) == []


async def test_pages_hold_every_event_once_newest_first(audit: AuditServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada")
    made = [await happened(rows, ada, number=n) for n in range(7)]
    for size in (1, 2, 3, 6, 7, 8):
        seen = await listed(audit, ada.metadata, page_size=size)
        assert [event.audit_event_id for event in seen] == made[::-1]
    first = await audit.ListAuditEvents(pb.ListAuditEventsRequest(page_size=3), metadata=ada.metadata)
    newer = await happened(rows, ada)
    request = pb.ListAuditEventsRequest(page_size=10, page_token=first.next_page_token)
    second = await audit.ListAuditEvents(request, metadata=ada.metadata)
    assert [event.audit_event_id for event in second.audit_events] == made[3::-1]
    assert newer not in {event.audit_event_id for event in second.audit_events}


async def test_a_page_token_is_for_the_same_caller_and_arguments(
    audit: AuditServiceStub, people: People, rows: Rows
) -> None:
    ada, bo = await people.persons(2)
    for _ in range(2):
        await happened(rows, ada)
    request = pb.ListAuditEventsRequest(page_size=1)
    token = (await audit.ListAuditEvents(request, metadata=ada.metadata)).next_page_token
    for metadata, fields in (
        (bo.metadata, {}),
        (AS_OPERATOR, {"user_id": ada.user_id}),
        (ada.metadata, {"filter": "action = USER_UPDATED"}),
    ):
        async with fails(Reason.BAD_REQUEST) as failure:
            await listed(audit, metadata, first_token=token, **fields)
        assert failure.fields.keys() == {"page_token"}


async def test_filters_choose_by_action_and_time(audit: AuditServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada")
    old = await happened(rows, ada, "PASSWORD_CHANGED", time="2026-01-01T00:00:00Z")
    mid = await happened(rows, ada, "USER_UPDATED", time="2026-02-01T00:00:00Z")
    new = await happened(rows, ada, "PASSWORD_CHANGED", time="2026-03-01T00:00:00Z")
    for text, expected in {
        "": [new, mid, old],
        "action = PASSWORD_CHANGED": [new, old],
        'action != "PASSWORD_CHANGED"': [mid],
        "action = PASSWORD_CHANGED OR action = USER_UPDATED": [new, mid, old],
        'create_time >= "2026-02-01T00:00:00Z"': [new, mid],
        'create_time > "2026-02-01T00:00:00Z" action = PASSWORD_CHANGED': [new],
        'create_time < "2026-02-01T01:00:00+01:00"': [old],
        "action = SIGN_IN_FAILED": [],
    }.items():
        for fields in ({"filter": text, "page_size": 1}, {"filter": text}):
            seen = await listed(audit, user_id=ada.user_id, **fields)
            assert [event.audit_event_id for event in seen] == expected, text


async def test_bad_fields_are_named_at_once(audit: AuditServiceStub) -> None:
    request = pb.ListAuditEventsRequest(page_size=-1, user_id="ada", filter="action = NOTHING")
    async with fails(Reason.BAD_REQUEST) as failure:
        await audit.ListAuditEvents(request, metadata=AS_OPERATOR)
    assert failure.fields.keys() == {"page_size", "user_id", "filter"}
    for text in ("user_id = 1", "action < USER_UPDATED", "create_time > yesterday", "action = 'a\0'", "x" * 1001):
        async with fails(Reason.BAD_REQUEST) as failure:
            await audit.ListAuditEvents(pb.ListAuditEventsRequest(filter=text), metadata=AS_OPERATOR)
        assert failure.fields.keys() == {"filter"}


async def test_what_an_undone_change_would_have_recorded_is_undone_with_it(
    audit: AuditServiceStub, users: UserServiceStub, people: People
) -> None:
    ada = await people.person("ada")
    change = users_pb2.UpdateUserRequest(user=users_pb2.User(display_name="Ada", etag="99"))
    async with fails(Reason.ETAG_MISMATCH):
        await users.UpdateUser(change, metadata=ada.metadata)
    assert await listed(audit, ada.metadata) == []


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("user_id = '00000000-0000-7000-8000-000000000007'", "ix_audit_events_user_id"),
        ("action = 'USER_DELETED'", "ix_audit_events_action"),
        ("create_time > now() - interval '1 hour' AND create_time < now() - interval '59 minutes'",
         "ix_audit_events_create_time"),
        ("true", "pk_audit_events"),
    ],
)  # fmt: skip
async def test_pages_come_from_an_index(many_events: str, where: str, index: str) -> None:
    async with await psycopg.AsyncConnection.connect(many_events) as connection:
        query = f"EXPLAIN SELECT * FROM audit_events WHERE {where} ORDER BY audit_event_id DESC LIMIT 51"
        plan = "\n".join(row[0] for row in await (await connection.execute(query)).fetchall())
    assert index in plan, plan
    assert "Seq Scan" not in plan


@pytest.fixture(scope="module")
async def many_events(databases: Databases) -> str:
    """The address of a database with 100,000 events of 1,000 users, one of a thousand a deletion, one a second."""
    name = databases.copy("identity")
    async with await psycopg.AsyncConnection.connect(databases.owner_url("identity", name)) as connection:
        await connection.execute(
            """INSERT INTO audit_events (audit_event_id, action, user_id, create_time)
               SELECT (lpad(to_hex(1790000000000 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
                      CASE n % 1000 WHEN 0 THEN 'USER_DELETED' ELSE 'SESSION_CREATED' END,
                      ('00000000-0000-7000-8000-' || lpad((n % 1000)::text, 12, '0'))::uuid,
                      now() - (100000 - n) * interval '1 second'
                 FROM generate_series(1, 100000) n"""
        )
        await connection.commit()
        await connection.set_autocommit(True)
        await connection.execute("VACUUM ANALYZE audit_events")
    return databases.owner_url("identity", name)
