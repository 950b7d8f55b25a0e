"""What goes with a user who is deleted in identity, and who takes their place."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from protos.identity.v1.users_pb2 import SuspendUserRequest, UndeleteUserRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.database import Database
from tenancy_service import departures, memberships, quotas
from tenancy_service.audit import NO_CALL
from tenancy_service.constraint_errors import CONSTRAINT_ERRORS
from tenantry.testing.following import caught_up
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.tenancy.deletions import audited, delete, last_event, members, rows, told

INVITE = """INSERT INTO invitations
                (organization_id, invitation_id, email, email_key, role, inviter_user_id, expire_time)
            VALUES (%s, gen_random_uuid(), %s, %s, %s, %s, now() + interval '1 day')"""
STATES = "SELECT role, state FROM invitations WHERE organization_id = %s ORDER BY role"
SOFT_DELETE = """UPDATE organizations SET delete_time = now(), purge_time = now() + interval '1 day'
                  WHERE organization_id = %s"""
OWNERLESS = "SELECT ownerless_time IS NOT NULL FROM organizations WHERE organization_id = %s"
OLDER = """UPDATE organization_members SET create_time = now() - interval '1 day'
            WHERE organization_id = %s AND user_id = %s"""
EXPIRES = """UPDATE organization_members SET expire_time = now() + %s::interval
              WHERE organization_id = %s AND user_id = %s"""
OVERRIDES = "SELECT count(*) FROM project_members WHERE organization_id = %s AND user_id = %s"


async def ownerless(pair: Pair, organization_id: str) -> bool:
    [[is_ownerless]] = await rows(pair.tenancy.database_url, OWNERLESS, organization_id)
    return bool(is_ownerless)


@pytest.fixture
async def database(pair: Pair) -> AsyncIterator[Database]:
    url = pair.tenancy.database_url
    made = Database(url, pool_size=4, name="test", constraint_errors=CONSTRAINT_ERRORS)
    yield made
    await made.close()


async def test_memberships_overrides_and_name_of_a_deleted_user_go(pair: Pair, people: People) -> None:
    ada, bo = await people.persons(2)
    acme, other = await people.organization(ada, MEMBER=bo), await people.organization(ada, GUEST=bo)
    await people.project(acme, ada, EDITOR=bo)
    await caught_up(pair, checks=True)
    before = await last_event(pair)
    await delete(pair, bo)
    for organization_id in (acme, other):
        assert await members(pair, organization_id) == {ada.user_id: "OWNER"}
        assert await audited(pair, organization_id) == [("MEMBER_REMOVED", bo.user_id)]
        assert await told(pair, organization_id, before) == [("MEMBER_REMOVED", bo.user_id)]
    assert await rows(pair.tenancy.database_url, OVERRIDES, acme, bo.user_id) == [(0,)]
    names = "SELECT user_id::text FROM user_names WHERE user_id = ANY(%s::uuid[])"
    assert await rows(pair.tenancy.database_url, names, [ada.user_id, bo.user_id]) == [(ada.user_id,)]


async def test_pending_invitations_they_sent_for_high_roles_go_with_them(pair: Pair, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, ADMIN=bo)
    for role in ("ADMIN", "MEMBER"):
        address = f"{role}@example.com"
        await rows(pair.tenancy.database_url, INVITE, acme, address, address, role, bo.user_id)
    await delete(pair, bo)
    assert await rows(pair.tenancy.database_url, STATES, acme) == [("ADMIN", "REVOKED"), ("MEMBER", "PENDING")]


async def test_the_longest_standing_admin_succeeds_the_only_owner(pair: Pair, people: People) -> None:
    ada, bo, cy, di = sorted(await people.persons(4), key=lambda person: person.user_id)
    acme = await people.organization(ada, ADMIN=[bo, cy], MEMBER=di)
    await people.project(acme, ada, VIEWER=cy)
    for person in (cy, di):  # a member is none, however long
        await rows(pair.tenancy.database_url, OLDER, acme, person.user_id)
    before = await last_event(pair)
    await delete(pair, ada)
    assert await members(pair, acme) == {bo.user_id: "ADMIN", cy.user_id: "OWNER", di.user_id: "MEMBER"}
    assert await audited(pair, acme) == [("OWNER_SUCCEEDED", cy.user_id), ("MEMBER_REMOVED", ada.user_id)]
    assert await told(pair, acme, before) == [("MEMBER_UPDATED", cy.user_id), ("MEMBER_REMOVED", ada.user_id)]
    assert await rows(pair.tenancy.database_url, OVERRIDES, acme, cy.user_id) == [(0,)]  # no owner is held down
    assert not await ownerless(pair, acme)


async def test_of_admins_who_came_at_once_the_lower_id_succeeds(pair: Pair, people: People) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, ADMIN=[bo, cy])
    same = "UPDATE organization_members SET create_time = '2026-01-01' WHERE organization_id = %s"
    await rows(pair.tenancy.database_url, same, acme)
    await delete(pair, ada)
    assert (await members(pair, acme))[min(bo.user_id, cy.user_id)] == "OWNER"


async def test_nobody_succeeds_where_another_owner_is(pair: Pair, people: People) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, OWNER=bo, ADMIN=cy)
    await delete(pair, ada)
    assert await members(pair, acme) == {bo.user_id: "OWNER", cy.user_id: "ADMIN"}
    assert await audited(pair, acme) == [("MEMBER_REMOVED", ada.user_id)]


async def test_no_quota_stops_a_succession(pair: Pair, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, ADMIN=bo)

    async def refuse(*_: object) -> None:
        raise AssertionError("asked for a quota")

    monkeypatch.setattr(quotas, "one_more_organization", refuse)
    await delete(pair, ada)
    assert await members(pair, acme) == {bo.user_id: "OWNER"}


async def test_without_an_admin_who_stays_it_is_marked_ownerless_and_keeps_its_rows(pair: Pair, people: People) -> None:
    ada, bo, cy, di = await people.persons(4)
    acme = await people.organization(ada, ADMIN=[bo, cy], MEMBER=di)
    api = await people.project(acme, ada)
    await rows(pair.tenancy.database_url, EXPIRES, "1 hour", acme, bo.user_id)
    await rows(pair.tenancy.database_url, EXPIRES, "-1 hour", acme, cy.user_id)
    before = await last_event(pair)
    await delete(pair, ada)
    assert await ownerless(pair, acme)
    assert await members(pair, acme) == {bo.user_id: "ADMIN", cy.user_id: "ADMIN", di.user_id: "MEMBER"}
    assert await audited(pair, acme) == [("OWNER_LOST", ada.user_id), ("MEMBER_REMOVED", ada.user_id)]
    assert await told(pair, acme, before) == [("ORGANIZATION_UPDATED", None), ("MEMBER_REMOVED", ada.user_id)]
    assert await rows(pair.tenancy.database_url, "SELECT 1 FROM projects WHERE project_id = %s", api) == [(1,)]


@pytest.mark.parametrize("has_admin", [True, False])
async def test_in_a_deleted_organization_the_same_happens(pair: Pair, people: People, has_admin: bool) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, **{"ADMIN" if has_admin else "MEMBER": bo})
    await rows(pair.tenancy.database_url, SOFT_DELETE, acme)
    await delete(pair, ada)
    assert await members(pair, acme) == {bo.user_id: "OWNER" if has_admin else "MEMBER"}
    assert await ownerless(pair, acme) is not has_admin


async def test_owner_and_admin_deleted_together_leave_the_next_one_as_owner(
    pair: Pair, people: People, database: Database
) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, ADMIN=bo)
    await people.add(acme, cy, "ADMIN")
    async with database.transaction() as tx:  # both at once, as a batch of events brings them
        assert await departures.remove_memberships(tx, [UUID(ada.user_id), UUID(bo.user_id)])
    assert await members(pair, acme) == {cy.user_id: "OWNER"}
    assert not await ownerless(pair, acme)
    succeeded = [target for action, target in await audited(pair, acme) if action == "OWNER_SUCCEEDED"]
    assert succeeded == [cy.user_id]  # nobody who is about to go


async def test_an_undeleted_user_does_not_get_their_memberships_back(pair: Pair, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    await delete(pair, bo)
    users = UserServiceStub(pair.identity.channel)
    await users.UndeleteUser(UndeleteUserRequest(user_id=bo.user_id), metadata=AS_OPERATOR)
    await caught_up(pair)
    assert await members(pair, acme) == {ada.user_id: "OWNER"}
    await people.add(acme, bo, "GUEST")
    await caught_up(pair, checks=True)
    assert (await members(pair, acme))[bo.user_id] == "GUEST"


async def test_a_suspended_user_stays_what_they_are(pair: Pair, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    users = UserServiceStub(pair.identity.channel)
    await users.SuspendUser(SuspendUserRequest(user_id=ada.user_id), metadata=AS_OPERATOR)
    await caught_up(pair, checks=True)
    assert await members(pair, acme) == {ada.user_id: "OWNER"}


async def test_more_memberships_than_one_transaction_takes_go_as_well(
    pair: Pair, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(departures, "AT_ONCE", 2)
    ada, bo = await people.persons(2)
    places = [await people.organization(ada, MEMBER=bo) for _ in range(7)]
    await delete(pair, bo)
    for organization_id in places:
        assert await members(pair, organization_id) == {ada.user_id: "OWNER"}
        assert await audited(pair, organization_id) == [("MEMBER_REMOVED", bo.user_id)]


async def test_who_is_deleted_before_an_add_commits_does_not_stay(
    pair: Pair, people: People, database: Database
) -> None:
    """Identity was asked before, the deletion is applied and has changed nothing, and only now the add commits."""
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    await delete(pair, bo)
    async with database.transaction() as tx:
        await memberships.add(
            tx, pair.tenancy_settings, NO_CALL, organization_id=UUID(acme), user_id=UUID(bo.user_id), role="ADMIN"
        )
    await caught_up(pair, checks=True)
    assert await members(pair, acme) == {ada.user_id: "OWNER"}
    assert await audited(pair, acme) == [("MEMBER_ADDED", bo.user_id), ("MEMBER_REMOVED", bo.user_id)]
