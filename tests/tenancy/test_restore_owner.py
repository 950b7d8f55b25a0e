"""An organization that has lost all its owners gets a new one, from a service that says why."""

import asyncio
from typing import Any
from uuid import uuid4

import grpc
import pytest

from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import organizations_pb2 as pb
from protos.tenancy.v1.roles_pb2 import OrgRole
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails
from tests.tenancy import races
from tests.tenancy.rpcs import call, everything_of

ROLES = "SELECT user_id::text, role FROM organization_members WHERE organization_id = %s"


async def ownerless(pair: Pair, people: People, **roles: TestPerson) -> str:
    """As when its only owner was deleted and there was no administrator."""
    ada = await people.person()
    acme = await people.organization(ada, **roles)
    await races.rows(pair, "DELETE FROM organization_members WHERE user_id = %s RETURNING 1", [ada.user_id])
    mark = "UPDATE organizations SET ownerless_time = now() WHERE organization_id = %s RETURNING 1"
    await races.rows(pair, mark, [acme])
    return acme


def restore(organization_id: str, person: TestPerson, **fields: Any) -> pb.RestoreOwnerRequest:
    values = {"reason": "Ada has left, ticket 4711", **fields}
    return pb.RestoreOwnerRequest(organization_id=organization_id, user_id=person.user_id, **values)


@pytest.mark.parametrize("role", ["nobody", "expired", "GUEST", "MEMBER"])
async def test_a_service_gives_it_a_new_owner(tenancy: grpc.aio.Channel, people: People, pair: Pair, role: str) -> None:
    bo = await people.person()
    acme = await ownerless(pair, people, **({} if role == "nobody" else {role.replace("expired", "GUEST"): bo}))
    if role == "expired":
        expire = "UPDATE organization_members SET expire_time = now() WHERE user_id = %s RETURNING 1"
        await races.rows(pair, expire, [bo.user_id])
    request = restore(acme, bo, request_id=str(uuid4()))
    told = await call(tenancy, request, AS_OPERATOR)
    assert not told.organization.ownerless
    assert await call(tenancy, request, AS_OPERATOR) == told
    assert dict(await races.rows(pair, ROLES, [acme])) == {bo.user_id: "OWNER"}
    written = """SELECT actor_service, target_user_id::text, details FROM audit_events
                  WHERE organization_id = %s AND action = 'OWNER_RESTORED'"""
    reason = {"reason": "Ada has left, ticket 4711"}
    assert await races.rows(pair, written, [acme]) == [("operator", bo.user_id, reason)]
    events = "SELECT type FROM events WHERE organization_id = %s ORDER BY event_id DESC LIMIT 2"
    member_event = "MEMBER_UPDATED" if role in ("GUEST", "MEMBER") else "MEMBER_ADDED"
    assert await races.rows(pair, events, [acme]) == [("ORGANIZATION_UPDATED",), (member_event,)]
    own = await call(tenancy, pb.GetOrganizationRequest(organization_id=acme), bo.metadata)
    assert own.organization.caller_role == OrgRole.ORG_ROLE_OWNER


async def test_where_there_is_an_owner_nobody_is_restored(
    tenancy: grpc.aio.Channel, people: People, pair: Pair
) -> None:
    ada, bo, zoe = await people.persons(3)
    acme = await people.organization(ada, MEMBER=bo)
    before = await everything_of(pair, acme)
    for person in (ada, bo, zoe):
        async with fails(Reason.OWNER_EXISTS):
            await call(tenancy, restore(acme, person), AS_OPERATOR)
    assert await everything_of(pair, acme) == before


async def test_the_new_owner_must_be_a_user(tenancy: grpc.aio.Channel, people: People, pair: Pair) -> None:
    bo = await people.person()
    request = restore(await ownerless(pair, people), bo)
    request.user_id = str(uuid4())
    async with fails(Reason.USER_NOT_FOUND):
        await call(tenancy, request, AS_OPERATOR)
    request = restore(str(uuid4()), bo)
    async with fails(Reason.PERMISSION_DENIED):
        await call(tenancy, request, AS_OPERATOR)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "line\nbreak", "nul \0", "turned \u202e around"])
async def test_a_reason_is_needed(tenancy: grpc.aio.Channel, people: People, pair: Pair, reason: str) -> None:
    bo = await people.person()
    async with fails(Reason.BAD_REQUEST) as failure:
        await call(tenancy, restore(await ownerless(pair, people), bo, reason=reason), AS_OPERATOR)
    assert list(failure.fields) == ["reason"]


async def test_a_session_makes_it_nobodys_right(tenancy: grpc.aio.Channel, people: People, pair: Pair) -> None:
    bo = await people.person()
    acme = await ownerless(pair, people, ADMIN=bo)
    async with fails(Reason.PERMISSION_DENIED):
        await call(tenancy, restore(acme, bo), AS_OPERATOR + bo.metadata)
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await call(tenancy, restore(acme, bo), bo.metadata)


async def test_of_two_restored_at_once_one_becomes_owner(tenancy: grpc.aio.Channel, people: People, pair: Pair) -> None:
    bo, cy = await people.persons(2)

    async def race(acme: str) -> list[str]:
        calls = [races.told(call(tenancy, restore(acme, person), AS_OPERATOR)) for person in (bo, cy)]
        return sorted([await each for each in asyncio.as_completed(calls)])

    places = [await ownerless(pair, people, MEMBER=bo) for _ in range(20)]
    for acme in places:
        told = await race(acme)
        assert told in (["OK", "OWNER_EXISTS"], ["CONFLICT", "OK"])
        owners = [role for _, role in await races.rows(pair, ROLES, [acme])].count("OWNER")
        assert owners == 1


async def test_an_owner_added_by_a_service_ends_it_too(tenancy: grpc.aio.Channel, people: People, pair: Pair) -> None:
    bo = await people.person()
    acme = await ownerless(pair, people)
    owner = OrgRole.ORG_ROLE_OWNER
    added = members.AddOrganizationMemberRequest(organization_id=acme, user_id=bo.user_id, role=owner)
    await call(tenancy, added, AS_OPERATOR)
    read = await call(tenancy, pb.GetOrganizationRequest(organization_id=acme), AS_OPERATOR)
    assert not read.organization.ownerless
