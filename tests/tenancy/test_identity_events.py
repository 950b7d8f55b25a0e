"""Tenancy follows identity's events: names, beginnings, several workers, and what goes wrong between the two."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from protos.identity.v1 import users_pb2 as pb
from protos.identity.v1.events_pb2 import StreamEventsResponse
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared import event_cursor, event_streams
from tenancy_service import identity_client, identity_events
from tenantry.testing.databases import Databases
from tenantry.testing.following import caught_up
from tenantry.testing.pair import Pair, running_identity
from tenantry.testing.people import AS_OPERATOR, People
from tests.canaries import Canaries
from tests.proxy import Proxy
from tests.tenancy.apart import Apart, apart
from tests.tenancy.deletions import audited, members, rows

NAME = "SELECT email_key, name_key FROM user_names WHERE user_id = %s"
NAMES = "SELECT count(*) FROM user_names"
WRITTEN = "SELECT cursor, update_time FROM identity_cursor"
CURSOR = "SELECT cursor FROM identity_cursor"
SET_CURSOR = "UPDATE identity_cursor SET cursor = %s"
FAILING = "identity's events cannot be followed"
HOLDER = "SELECT holder FROM identity_cursor"
TAKE_TURN = "UPDATE identity_cursor SET holder = %s, hold_until = now() + %s::interval"
INSERT_ORGANIZATION = "INSERT INTO organizations (organization_id, slug, display_name) VALUES (%s, 'acme', 'Acme')"
INSERT_MEMBER = "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, %s)"


@pytest.fixture
async def alone(databases: Databases) -> AsyncIterator[Apart]:
    async with apart(databases) as identity:
        yield identity


async def create_user(pair: Pair | Apart, name: str, address: str | None = None) -> str:
    request = pb.CreateUserRequest(email=address or f"{uuid4().hex}@example.com", display_name=name)
    response = await UserServiceStub(pair.identity.channel).CreateUser(request, metadata=AS_OPERATOR)
    return response.user.user_id


async def delete_user(pair: Pair | Apart, user_id: str) -> None:
    request = pb.DeleteUserRequest(user_id=user_id)
    await UserServiceStub(pair.identity.channel).DeleteUser(request, metadata=AS_OPERATOR)


async def until_said(canaries: Canaries, words: str, times: int = 1) -> None:
    async with asyncio.timeout(20):
        while canaries.said().count(words) < times:  # noqa: ASYNC110 - a log says when
            await asyncio.sleep(0.02)


async def test_names_follow_comparable_whatever_their_case_and_composition(pair: Pair) -> None:
    address = f"Zoe.{uuid4().hex[:8]}@example.com"
    user_id = await create_user(pair, "Zoe\u0308 GREY", address)
    await caught_up(pair)
    assert await rows(pair.tenancy.database_url, NAME, user_id) == [(address.lower(), "zo\u00eb grey")]
    users = UserServiceStub(pair.identity.channel)
    change = pb.UpdateUserRequest(user=pb.User(user_id=user_id, display_name="Zo\u00eb White"))
    await users.UpdateUser(change, metadata=AS_OPERATOR)
    await caught_up(pair)
    assert await rows(pair.tenancy.database_url, NAME, user_id) == [(address.lower(), "zo\u00eb white")]
    await delete_user(pair, user_id)
    await caught_up(pair)
    assert await rows(pair.tenancy.database_url, NAME, user_id) == []
    await users.UndeleteUser(pb.UndeleteUserRequest(user_id=user_id), metadata=AS_OPERATOR)
    await caught_up(pair)
    assert await rows(pair.tenancy.database_url, NAME, user_id) == [(address.lower(), "zo\u00eb white")]


async def test_the_first_start_reads_all_accounts_and_finds_who_was_deleted_before(alone: Apart) -> None:
    """The accounts are written without events, as by a version that had none."""
    kept, gone, acme = uuid4(), uuid4(), uuid4()
    others = "SELECT gen_random_uuid(), n || '@x.org', n || '@x.org', '' FROM generate_series(1, 249) n"
    insert = "INSERT INTO users (user_id, email, email_key, display_name)"
    await rows(alone.identity.database_url, f"{insert} {others}")  # more than one batch
    await rows(alone.identity.database_url, f"{insert} VALUES (%s, 'Kept@x.org', 'kept@x.org', 'KEPT')", kept)
    await rows(alone.tenancy_url, INSERT_ORGANIZATION, acme)
    await rows(alone.tenancy_url, INSERT_MEMBER, acme, gone, "OWNER")
    await rows(alone.tenancy_url, INSERT_MEMBER, acme, kept, "ADMIN")
    async with alone.tenancy() as pair:
        await caught_up(pair, checks=True)
        assert await members(pair, str(acme)) == {str(kept): "OWNER"}
        assert await rows(alone.tenancy_url, NAME, kept) == [("kept@x.org", "kept")]
        assert await rows(alone.tenancy_url, NAMES) == [(250,)]


async def test_an_expired_cursor_begins_anew_and_misses_nobody(alone: Apart) -> None:
    async with alone.tenancy() as pair:
        people = People(pair)
        ada, bo, cy = await people.persons(3)
        acme = await people.organization(ada, ADMIN=bo, MEMBER=cy)
        await caught_up(pair, checks=True)
    [[cursor]] = await rows(alone.tenancy_url, CURSOR)
    old = event_cursor.decode(cursor)
    await rows(alone.tenancy_url, SET_CURSOR, replace(old, time=old.time - timedelta(days=31)).encode())
    await delete_user(alone, ada.user_id)
    new = await create_user(alone, "New", "new@x.org")
    await rows(alone.identity.database_url, "DELETE FROM events")  # they have had their time
    async with alone.tenancy() as pair:
        async with asyncio.timeout(20):
            while await rows(alone.tenancy_url, NAME, new) == []:  # noqa: ASYNC110 - the database knows
                await asyncio.sleep(0.02)
        await caught_up(pair, checks=True)
        assert await members(pair, acme) == {bo.user_id: "OWNER", cy.user_id: "MEMBER"}
        assert await audited(pair, acme) == [("OWNER_SUCCEEDED", bo.user_id), ("MEMBER_REMOVED", ada.user_id)]
        assert await rows(alone.tenancy_url, NAME, ada.user_id) == []


async def test_a_cursor_of_another_identity_is_told_and_removes_nobody(alone: Apart, canaries: Canaries) -> None:
    async with alone.tenancy() as pair:
        ada = await People(pair).person()
        acme = await People(pair).organization(ada)
        await caught_up(pair, checks=True)
    [[cursor]] = await rows(alone.tenancy_url, CURSOR)
    foreign = replace(event_cursor.decode(cursor), epoch=1, xid=1 << 60).encode()
    await rows(alone.tenancy_url, SET_CURSOR, foreign)
    await rows(alone.identity.database_url, "UPDATE users SET state = 'DELETED', delete_time = now()")
    async with alone.tenancy() as pair:
        await until_said(canaries, "CURSOR_INVALID")
        assert await members(pair, acme) == {ada.user_id: "OWNER"}
        assert await rows(alone.tenancy_url, CURSOR) == [(foreign,)]


async def test_an_identity_that_knows_no_member_is_not_believed(alone: Apart, canaries: Canaries) -> None:
    """An empty one, or one that is somebody else's: nobody is removed, and it is told."""
    acme = uuid4()
    await rows(alone.tenancy_url, INSERT_ORGANIZATION, acme)
    for role in ["OWNER"] + ["MEMBER"] * (identity_events.ENOUGH_TO_TELL - 1):
        await rows(alone.tenancy_url, INSERT_MEMBER, acme, uuid4(), role)
    async with alone.tenancy() as pair:
        await until_said(canaries, "it knows none of the members here")
        assert len(await members(pair, str(acme))) == identity_events.ENOUGH_TO_TELL
        assert await rows(alone.tenancy_url, CURSOR) == [(None,)]


async def test_of_two_workers_one_applies_and_the_other_goes_on_when_it_stops(alone: Apart) -> None:
    async with alone.tenancy() as second:
        async with alone.tenancy() as first:
            ada, *others = await People(first).persons(40)
            acme = await People(first).organization(ada, MEMBER=others)
            await asyncio.gather(*[delete_user(alone, person.user_id) for person in others[:20]])
            await caught_up(first)
            [[holder]] = await rows(alone.tenancy_url, HOLDER)
            assert holder is not None
            deleting = asyncio.gather(*[delete_user(alone, person.user_id) for person in others[20:]])
        await deleting
        await caught_up(second)
        assert await members(second, acme) == {ada.user_id: "OWNER"}
        removed = [("MEMBER_REMOVED", person.user_id) for person in others]
        assert sorted(await audited(second, acme)) == sorted(removed)
        events = "SELECT user_id::text FROM events WHERE type = 'MEMBER_REMOVED'"
        told = [user_id for (user_id,) in await rows(alone.tenancy_url, events)]
        assert sorted(told) == sorted(person.user_id for person in others)


async def test_who_has_lost_its_turn_writes_nothing_more(alone: Apart, canaries: Canaries) -> None:
    async with alone.tenancy() as pair:
        await caught_up(pair)
        words, other = "another worker follows", uuid4()
        said = canaries.said().count(words)
        await rows(alone.tenancy_url, TAKE_TURN, other, "1 hour")
        before = await rows(alone.tenancy_url, CURSOR)
        user_id = await create_user(alone, "Unseen")
        await until_said(canaries, words, said + 1)
        assert await rows(alone.tenancy_url, CURSOR) == before
        assert await rows(alone.tenancy_url, HOLDER) == [(other,)]
        assert await rows(alone.tenancy_url, NAME, user_id) == []
        # The other one has died.
        await rows(alone.tenancy_url, TAKE_TURN, other, "-1 second")
        await caught_up(pair)
        assert len(await rows(alone.tenancy_url, NAME, user_id)) == 1


async def test_a_worker_that_stops_leaves_its_turn_to_others(alone: Apart) -> None:
    async with alone.tenancy() as pair:
        await caught_up(pair)
    assert await rows(alone.tenancy_url, HOLDER) == [(None,)]


async def test_identity_away_for_a_while_is_told_once_and_nothing_is_lost(
    alone: Apart, canaries: Canaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, attempts = identity_client.IdentityClient.events, asyncio.Semaphore(0)

    def watched(self: identity_client.IdentityClient, cursor: str | None) -> identity_client.EventStream:
        attempts.release()
        return events(self, cursor)

    async with Proxy(alone.identity.address) as proxy, alone.tenancy(proxy.address) as pair:
        await caught_up(pair)
        before = canaries.said().count(FAILING)
        target, proxy.target = proxy.target, "127.0.0.1:1"
        monkeypatch.setattr(identity_client.IdentityClient, "events", watched)
        proxy.cut()
        user_id = await create_user(alone, "Missed")
        async with asyncio.timeout(20):
            for _ in range(4):
                await attempts.acquire()
        assert canaries.said().count(FAILING) == before + 1
        async with running_identity(alone.identity_settings) as restarted:
            proxy.target = restarted.address
            await caught_up(pair)
        assert len(await rows(alone.tenancy_url, NAME, user_id)) == 1
        proxy.target = target
        again = await create_user(alone, "Seen")
        await caught_up(pair)
        assert len(await rows(alone.tenancy_url, NAME, again)) == 1


async def test_a_quiet_stream_moves_the_cursor_on_but_seldom(alone: Apart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_streams, "HEARTBEAT", 0.0)
    monkeypatch.setattr(event_streams, "POLL", 0.02)
    async with alone.tenancy() as pair:
        await create_user(alone, "Last")
        await caught_up(pair)
        [[before]] = await rows(alone.tenancy_url, CURSOR)
        monkeypatch.setattr(identity_events, "KEEP_CURSOR", 0.0)
        async with asyncio.timeout(10):
            while await rows(alone.tenancy_url, CURSOR) == [(before,)]:  # noqa: ASYNC110 - the database knows
                await asyncio.sleep(0.02)
        monkeypatch.setattr(identity_events, "KEEP_CURSOR", 3600.0)
        await create_user(alone, "The very last")
        await caught_up(pair)
        last = await rows(alone.tenancy_url, WRITTEN)
        told, beats = identity_client.told, asyncio.Semaphore(0)

        def watched(message: StreamEventsResponse) -> identity_client.Told:
            if message.HasField("heartbeat"):
                beats.release()
            return told(message)

        monkeypatch.setattr(identity_client, "told", watched)
        async with asyncio.timeout(10):
            for _ in range(10):
                await beats.acquire()
        assert await rows(alone.tenancy_url, WRITTEN) == last


async def test_places_that_are_locked_for_long_delay_an_event_but_do_not_set_it_aside(
    alone: Apart, canaries: Canaries
) -> None:
    async with alone.tenancy() as pair:
        ada, bo = await People(pair).persons(2)
        acme = await People(pair).organization(ada, MEMBER=bo)
        await caught_up(pair, checks=True)
        before = canaries.said().count(FAILING)
        async with await psycopg.AsyncConnection.connect(alone.tenancy_url) as holding:
            # A lock without a transaction number, as one that is under way would hold identity's events back.
            await holding.execute("LOCK TABLE organizations IN EXCLUSIVE MODE")
            await delete_user(alone, bo.user_id)
            await until_said(canaries, FAILING, before + 1)
        await caught_up(pair)
        assert await members(pair, acme) == {ada.user_id: "OWNER"}
        assert await rows(alone.tenancy_url, "SELECT count(*) FROM set_aside_events") == [(0,)]


async def test_nobody_is_forgotten_who_is_deleted_while_tenancy_is_away(alone: Apart) -> None:
    async with alone.tenancy() as pair:
        ada, bo = await People(pair).persons(2)
        acme = await People(pair).organization(ada, MEMBER=bo)
        await caught_up(pair)
    await delete_user(alone, bo.user_id)
    async with alone.tenancy() as pair:
        await caught_up(pair)
        assert await members(pair, acme) == {ada.user_id: "OWNER"}
