"""Snapshots of all places, which streams of tenancy's events can begin with."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc
import pytest

from protos.tenancy.v1 import events_pb2 as pb
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole
from shared import event_cursor
from shared.fields import NIL
from shared.reasons import Reason
from tenancy_service import publish
from tenancy_service.handlers import events as handler
from tenancy_service.queries import events, organization_members
from tenantry.testing.databases import Databases
from tests.calls import fails
from tests.event_reading import SMALL_WINDOWS, Alone, next_of, take, tenancy_alone

# Of each kind some that a snapshot leaves out: deleted, expired, and what belongs to such.
PLACES = """
    INSERT INTO organizations (organization_id, slug, display_name, private_metadata, delete_time, purge_time)
    SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'acme-' || n, 'Acme', '{"plan": "secret"}',
           CASE WHEN n = 3 THEN now() END, CASE WHEN n = 3 THEN now() END FROM generate_series(1, 4) n;
    INSERT INTO organization_members (organization_id, user_id, role, expire_time)
    SELECT organization_id, ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
           CASE n WHEN 1 THEN 'OWNER' ELSE 'MEMBER' END, CASE n WHEN 2 THEN now() - interval '1 s' END
      FROM organizations, generate_series(1, 14) n WHERE slug <> 'acme-4';
    INSERT INTO projects (organization_id, project_id, slug, display_name, private_metadata, delete_time, purge_time)
    SELECT organization_id, ('00000000-0000-7000-9000-' || substr(slug, 6) || lpad(n::text, 11, '0'))::uuid,
           'api-' || n, 'API', '{"plan": "secret"}', CASE n WHEN 2 THEN now() END, CASE n WHEN 2 THEN now() END
      FROM organizations, generate_series(1, 7) n WHERE slug IN ('acme-1', 'acme-3');
    INSERT INTO project_members (organization_id, project_id, user_id, inherited_from_org, role, expire_time,
                                 set_by_service)
    SELECT p.organization_id, p.project_id, m.user_id, false, 'EDITOR',
           CASE WHEN right(m.user_id::text, 1) = '3' THEN now() - interval '1 s' END, 'operator'
      FROM projects p JOIN organization_members m USING (organization_id) WHERE m.role <> 'OWNER'"""
SHOWN = """
    SELECT slug FROM organizations WHERE delete_time IS NULL
    UNION ALL
    SELECT o.slug || m.user_id::text FROM organization_members m JOIN organizations o USING (organization_id)
     WHERE delete_time IS NULL AND expire_time IS NULL
    UNION ALL
    SELECT p.slug FROM projects p JOIN organizations o USING (organization_id)
     WHERE p.delete_time IS NULL AND o.delete_time IS NULL
    UNION ALL
    SELECT pm.project_id::text || pm.user_id::text FROM project_members pm
      JOIN projects p USING (organization_id, project_id) JOIN organizations o USING (organization_id)
      JOIN organization_members m USING (organization_id, user_id)
     WHERE p.delete_time IS NULL AND o.delete_time IS NULL AND pm.expire_time IS NULL AND m.expire_time IS NULL"""
MANY_MEMBERS = """
    WITH made AS (INSERT INTO organizations (organization_id, slug, display_name)
                  VALUES (gen_random_uuid(), 'large', 'Large') RETURNING organization_id)
    INSERT INTO organization_members (organization_id, user_id, role)
    SELECT organization_id, gen_random_uuid(), 'MEMBER' FROM made, generate_series(1, %s)"""


@pytest.fixture(scope="module")
async def alone(databases: Databases) -> AsyncIterator[Alone]:
    async with tenancy_alone(databases) as running:
        async with await running.connect() as connection:
            await connection.execute(PLACES)
        yield running


async def read_snapshot(stream: Any) -> list[pb.StreamEventsResponse]:
    """Without the heartbeat at its end."""
    found: list[pb.StreamEventsResponse] = []
    while not (message := await next_of(stream)).HasField("heartbeat"):
        assert message.HasField("snapshot")
        found.append(message)
    return found


def shown(message: pb.StreamEventsResponse, slugs: dict[str, str]) -> str:
    content = getattr(message.snapshot, message.snapshot.WhichOneof("content") or "")
    match message.snapshot.WhichOneof("content"):
        case "member":
            return f"{slugs[content.organization_id]}{content.user_id}"
        case "project_member":
            assert content.role == ProjectRole.PROJECT_ROLE_EDITOR
            return f"{content.project_id}{content.user_id}"
    return str(content.slug)


@pytest.mark.parametrize("page", [3, 100])
async def test_a_snapshot_has_all_there_is_and_can_be_resumed_anywhere(
    alone: Alone, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(handler, "PAGE", page)
    stream = alone.start(snapshot=True)
    whole = await read_snapshot(stream)
    found = [message.snapshot for message in whole]
    places = [each.organization for each in found if each.HasField("organization")]
    slugs = {each.organization_id: each.slug for each in places}
    async with await alone.connect() as connection:
        rows = await (await connection.execute(SHOWN)).fetchall()
    assert sorted(shown(message, slugs) for message in whole) == sorted(row[0] for row in rows)
    kinds = ["organization", "member", "project", "project_member"]
    order = [
        (getattr(each, each.WhichOneof("content") or "").organization_id, kinds.index(each.WhichOneof("content") or ""))
        for each in found
    ]
    assert order == sorted(order)
    assert not any(b"secret" in message.SerializeToString() for message in whole)
    [written] = await alone.write()
    assert [message.event.event_id for message in await take(stream, 1)] == [written]
    stream.cancel()
    changes = [n for n in range(1, len(order)) if order[n] != order[n - 1]]
    for cut in {0, len(whole) - 1, *changes, *(n - 1 for n in changes), *range(1, len(whole), 17)}:
        stream = alone.start(whole[cut].cursor)
        assert await read_snapshot(stream) == whole[cut + 1 :]
        assert [message.event.event_id for message in await take(stream, 1)] == [written]
        stream.cancel()


async def test_a_place_in_another_services_snapshot_is_none_here(alone: Alone) -> None:
    now = event_cursor.decode(await alone.now())
    for count in (1, 2):
        cursor = event_cursor.Cursor(*now.place, now.time, (NIL,) * count)
        async with fails(Reason.CURSOR_INVALID):
            await next_of(alone.start(cursor.encode()))


async def test_a_reader_that_stops_in_a_large_organization_costs_a_page_and_gets_all_of_it_later(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    many, pages = 8_000, 0
    page = events.list_members_after

    async def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal pages
        pages += 1
        return await page(*arguments, **named)

    monkeypatch.setattr(events, "list_members_after", counted)
    async with tenancy_alone(databases) as alone:
        async with await alone.connect() as connection:
            await connection.execute(MANY_MEMBERS, (many,))
        async with grpc.aio.insecure_channel(alone.service.address, options=SMALL_WINDOWS) as channel:
            stream = alone.start(snapshot=True, channel=channel)
            await next_of(stream)
            stood = -1
            while stood != pages:
                stood = pages
                await asyncio.sleep(0.3)
            assert 0 < pages * handler.PAGE < many / 2
            users = [message.snapshot.member.user_id for message in await read_snapshot(stream)]
            stream.cancel()
    assert len(set(users)) == len(users) == many


async def test_a_snapshot_and_what_changes_meanwhile_end_in_what_there_is(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members are changed, removed and added while a slow reader is in the midst of them."""
    monkeypatch.setattr(handler, "PAGE", 10)
    async with tenancy_alone(databases) as alone, await alone.connect() as connection:
        await connection.execute(MANY_MEMBERS, (60,))
        await connection.commit()
        rows = await connection.execute("SELECT organization_id, user_id FROM organization_members ORDER BY user_id")
        there = [{"organization_id": row[0], "user_id": row[1]} for row in await rows.fetchall()]
        stream = alone.start(snapshot=True)
        state: dict[str, str] = {}

        def apply(message: pb.StreamEventsResponse) -> None:
            member = message.event.member if message.HasField("event") else message.snapshot.member
            if message.event.type == pb.EVENT_TYPE_MEMBER_REMOVED:
                state.pop(message.event.user_id, None)
            elif member.user_id:
                state[member.user_id] = OrgRole.Name(member.role).removeprefix("ORG_ROLE_")

        for _ in range(16):
            apply(await next_of(stream))
        database = alone.database()
        # Some that were read already, some that wait in a page, some of the next, and new ones.
        for number in (2, 12, 17, 55):
            async with database.transaction() as tx:
                row = await organization_members.update_member(tx, **there[number], role="ADMIN", expire_time=None)
                await publish.member_changed(tx, "MEMBER_UPDATED", row)
                await organization_members.delete_member(tx, **there[number + 1])
                await publish.member_removed(tx, **there[number + 1])
                new = {"organization_id": there[0]["organization_id"], "user_id": uuid4()}
                row = await organization_members.insert_member(tx, **new, role="GUEST")
                await publish.member_changed(tx, "MEMBER_ADDED", row)
        await database.close()
        [end] = await alone.write()
        while (message := await next_of(stream)).event.event_id != end:
            apply(message)
        stream.cancel()
        rows = await connection.execute("SELECT user_id::text, role FROM organization_members")
        assert state == dict(await rows.fetchall())
        assert len(state) == 60
