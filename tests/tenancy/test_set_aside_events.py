"""An event that cannot be applied is put aside and the others flow on; it can be applied later."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import psycopg
import pytest
from prometheus_client import REGISTRY

from protos.identity.v1.users_pb2 import User
from shared.database import Database
from tenancy_service.identity_effects import apply_set_aside
from tenancy_service.queries import identity_events
from tenantry.testing.databases import Databases
from tenantry.testing.following import caught_up
from tenantry.testing.pair import Pair, running_pair
from tenantry.testing.people import People
from tests.canaries import Canaries
from tests.tenancy.deletions import audited, delete, members, rows

SET_ASIDE = "SELECT event_id, type, user_id, error FROM set_aside_events ORDER BY create_time"
NAME = "SELECT email_key FROM user_names WHERE user_id = %s"
WRITE = "INSERT INTO events (type, user_id, user_message) VALUES (%s, %s, %s) RETURNING event_id::text"
# Fails when one user is removed; the sequence counts how often, over rollbacks too.
FAILING = """
    CREATE SEQUENCE attempts;
    GRANT USAGE ON SEQUENCE attempts TO tenancy;
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.user_id = '{user_id}' AND nextval('attempts') <= {times} THEN
            RAISE EXCEPTION 'cannot remove %', OLD.user_id USING ERRCODE = 'XX000', CONSTRAINT = 'ck_sample';
        END IF;
        RETURN OLD;
    END $$;
    CREATE TRIGGER fail BEFORE DELETE ON organization_members FOR EACH ROW EXECUTE FUNCTION fail();"""
# Together, and then three times alone.
ATTEMPTS = 4


@pytest.fixture
async def alone(databases: Databases) -> AsyncIterator[Pair]:
    """Its stream has begun: what is written from now on comes as an event."""
    async with running_pair(databases) as pair:
        await caught_up(pair)
        yield pair


@pytest.fixture
async def database(alone: Pair) -> AsyncIterator[Database]:
    made = Database(alone.tenancy.database_url, pool_size=4, name="test", constraint_errors={})
    yield made
    await made.close()


def make_fail(databases: Databases, pair: Pair, user_id: str, times: int) -> None:
    name = pair.tenancy.database_url.rpartition("/")[2]
    with psycopg.connect(databases.postgres.url(name), autocommit=True) as admin:
        admin.execute(FAILING.format(user_id=user_id, times=times))


async def test_a_poisoned_event_is_set_aside_and_the_others_flow_on(
    alone: Pair, databases: Databases, database: Database, canaries: Canaries
) -> None:
    people = People(alone)
    ada, bo, cy, di = await people.persons(4)
    acme = await people.organization(ada, MEMBER=[bo, cy, di])
    await caught_up(alone, checks=True)
    make_fail(databases, alone, cy.user_id, times=ATTEMPTS)
    await delete(alone, bo, cy, di)
    assert await members(alone, acme) == {ada.user_id: "OWNER", cy.user_id: "MEMBER"}
    [(event_id, type_, user_id, error)] = await rows(alone.tenancy.database_url, SET_ASIDE)
    assert (type_, user_id, error) == ("USER_DELETED", cy.user_id, "InternalError_ XX000 ck_sample")
    async with database.single_read() as tx:
        assert await identity_events.count_set_aside_events(tx) == 1
    assert REGISTRY.get_sample_value("tenantry_set_aside_events") == 1
    assert f'"event_id": "{event_id}", "type": "USER_DELETED"' in canaries.said()
    # What stood in its way is repaired.
    assert await apply_set_aside(database, event_id)
    assert await members(alone, acme) == {ada.user_id: "OWNER"}
    assert sorted(await audited(alone, acme)) == sorted(("MEMBER_REMOVED", p.user_id) for p in (bo, cy, di))
    assert await rows(alone.tenancy.database_url, SET_ASIDE) == []
    assert not await apply_set_aside(database, event_id)


async def test_an_event_that_fails_twice_is_applied_by_the_third_attempt(alone: Pair, databases: Databases) -> None:
    people = People(alone)
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    await caught_up(alone, checks=True)
    make_fail(databases, alone, bo.user_id, times=ATTEMPTS - 1)
    await delete(alone, bo)
    assert await members(alone, acme) == {ada.user_id: "OWNER"}
    assert await audited(alone, acme) == [("MEMBER_REMOVED", bo.user_id)]
    assert await rows(alone.tenancy.database_url, SET_ASIDE) == []


async def test_a_message_that_cannot_be_stored_is_set_aside_and_made_up_for_by_asking(
    alone: Pair, database: Database
) -> None:
    """PostgreSQL takes no NUL; what the account is by then is what counts."""
    people = People(alone)
    ada, bo = await people.persons(2)
    bad = User(user_id=ada.user_id, email="a\0b@example.com").SerializeToString()
    good = User(user_id=bo.user_id, email="Good@example.com").SerializeToString()
    [[bad_id]] = await rows(alone.identity.database_url, WRITE, "USER_UPDATED", ada.user_id, bad)
    await rows(alone.identity.database_url, WRITE, "USER_UPDATED", bo.user_id, good)
    await caught_up(alone)
    assert await rows(alone.tenancy.database_url, NAME, bo.user_id) == [("good@example.com",)]
    assert await rows(alone.tenancy.database_url, SET_ASIDE) == [(bad_id, "USER_UPDATED", ada.user_id, "DataError")]
    assert await apply_set_aside(database, bad_id)
    await caught_up(alone, checks=True)
    assert await rows(alone.tenancy.database_url, NAME, ada.user_id) == [(ada.email.lower(),)]


async def test_a_check_that_fails_is_set_aside_too_and_the_others_are_made(
    alone: Pair, databases: Databases, database: Database
) -> None:
    """Members whom identity does not know, as if they had been deleted before the first cursor."""
    ada = await People(alone).person()
    acme = await People(alone).organization(ada)
    await caught_up(alone, checks=True)
    bad, good = uuid4(), uuid4()
    make_fail(databases, alone, str(bad), times=ATTEMPTS)
    insert = "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, 'MEMBER')"
    for user_id in (bad, good):
        await rows(alone.tenancy.database_url, insert, acme, user_id)
        await rows(alone.tenancy.database_url, "INSERT INTO users_to_check (user_id) VALUES (%s)", user_id)
    await caught_up(alone, checks=True)
    assert await members(alone, acme) == {ada.user_id: "OWNER", str(bad): "MEMBER"}
    [(event_id, type_, user_id, _)] = await rows(alone.tenancy.database_url, SET_ASIDE)
    assert (type_, UUID(user_id)) == ("USER_DELETED", bad)
    assert await apply_set_aside(database, event_id)
    assert await members(alone, acme) == {ada.user_id: "OWNER"}


async def test_an_event_of_a_newer_identity_leads_to_asking(alone: Pair) -> None:
    ada = await People(alone).person()
    await caught_up(alone)
    await rows(alone.identity.database_url, WRITE, "USER_TELEPORTED", ada.user_id, None)
    await caught_up(alone)
    await caught_up(alone, checks=True)
    assert await rows(alone.tenancy.database_url, NAME, ada.user_id) == [(ada.email.lower(),)]
