"""Quotas: one more than allowed is refused, also when two come at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from protos.tenancy.v1 import invitations_pb2 as invitations
from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import organizations_pb2 as organizations
from protos.tenancy.v1 import projects_pb2 as projects
from protos.tenancy.v1.roles_pb2 import OrgRole
from shared.reasons import Reason
from tenantry.testing.pair import Pair, running_tenancy, tenancy_settings
from tenantry.testing.people import AS_OPERATOR, Metadata, People, TestPerson
from tests.calls import fails
from tests.tenancy import races
from tests.tenancy.rpcs import call

LIMIT = 3
LIMITS = {
    "ORGANIZATIONS_PER_USER": LIMIT,
    "MEMBERS_PER_ORGANIZATION": LIMIT,
    "PROJECTS_PER_ORGANIZATION": LIMIT,
    "PENDING_INVITATIONS_PER_ORGANIZATION": LIMIT,
}
MEMBER = OrgRole.ORG_ROLE_MEMBER


@pytest.fixture(scope="module")
async def strict(pair: Pair) -> AsyncIterator[grpc.aio.Channel]:
    """A second tenancy on the same database that allows three of each."""
    settings = tenancy_settings(pair.tenancy.database_url, pair.identity.address, **LIMITS)
    async with running_tenancy(settings) as service:
        yield service.channel


Adding = Callable[[People, str, TestPerson], Awaitable[tuple[Message, Metadata]]]


async def one_more_organization(people: People, _acme: str, ada: TestPerson) -> tuple[Message, Metadata]:
    return organizations.CreateOrganizationRequest(slug=people.slug()), ada.metadata


async def one_more_member(people: People, acme: str, _ada: TestPerson) -> tuple[Message, Metadata]:
    bo = await people.person()
    request = members.AddOrganizationMemberRequest(organization_id=acme, user_id=bo.user_id, role=MEMBER)
    return request, AS_OPERATOR


async def one_more_project(people: People, acme: str, ada: TestPerson) -> tuple[Message, Metadata]:
    return projects.CreateProjectRequest(organization_id=acme, slug=people.slug()), ada.metadata


async def one_more_invitation(people: People, acme: str, ada: TestPerson) -> tuple[Message, Metadata]:
    address = f"{people.slug()}@example.com"
    return invitations.CreateInvitationRequest(organization_id=acme, email=address, role=MEMBER), ada.metadata


# What each quota is of, how many there are in a new organization with its owner, and its setting.
QUOTAS: list[Any] = [
    pytest.param(one_more_organization, "user", 1, "ORGANIZATIONS_PER_USER", id="organizations"),
    pytest.param(one_more_member, "organization", 1, "MEMBERS_PER_ORGANIZATION", id="members"),
    pytest.param(one_more_project, "organization", 0, "PROJECTS_PER_ORGANIZATION", id="projects"),
    pytest.param(one_more_invitation, "organization", 0, "PENDING_INVITATIONS_PER_ORGANIZATION", id="invitations"),
]


@pytest.mark.parametrize(("one_more", "subject", "there", "setting"), QUOTAS)
async def test_one_above_the_limit_is_refused(
    strict: grpc.aio.Channel, people: People, one_more: Adding, subject: str, there: int, setting: str
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    for _ in range(LIMIT - there):
        await call(strict, *await one_more(people, acme, ada))
    async with fails(Reason.QUOTA_EXCEEDED) as failure:
        await call(strict, *await one_more(people, acme, ada))
    assert failure.quota_of == f"{subject}:{ada.user_id if subject == 'user' else acme}"
    assert (failure.metadata["limit"], failure.metadata["setting"]) == (str(LIMIT), setting)
    assert setting in failure.message
    # Another's is not touched by it.
    bo = await people.person()
    await call(strict, *await one_more(people, await people.organization(bo), bo))


@pytest.mark.parametrize(("one_more", "subject", "there", "setting"), QUOTAS)
async def test_of_two_at_once_at_the_limit_one_gets_in(
    strict: grpc.aio.Channel, people: People, one_more: Adding, subject: str, there: int, setting: str
) -> None:
    for _ in range(5):
        ada = await people.person()
        acme = await people.organization(ada)
        for _ in range(LIMIT - there - 1):
            await call(strict, *await one_more(people, acme, ada))
        last = [await one_more(people, acme, ada) for _ in range(2)]
        told = await asyncio.gather(*[races.told(call(strict, *each)) for each in last])
        assert sorted(told) in (["OK", "QUOTA_EXCEEDED"], ["CONFLICT", "OK"]), (subject, setting)


async def test_what_was_refused_may_be_sent_again_when_there_is_room(strict: grpc.aio.Channel, people: People) -> None:
    ada = await people.person()
    made = [await people.organization(ada) for _ in range(LIMIT)]
    request = organizations.CreateOrganizationRequest(slug=people.slug())
    async with fails(Reason.QUOTA_EXCEEDED):
        await call(strict, request, ada.metadata)
    await call(strict, organizations.DeleteOrganizationRequest(organization_id=made[0]), ada.metadata)
    await call(strict, request, ada.metadata)


async def test_members_and_invitations_that_have_expired_take_no_place(
    strict: grpc.aio.Channel, people: People, pair: Pair
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    for one_more, count in ((one_more_member, LIMIT - 1), (one_more_invitation, LIMIT)):
        for _ in range(count):
            await call(strict, *await one_more(people, acme, ada))
    for table, condition in (("organization_members", "role = 'MEMBER'"), ("invitations", "true")):
        expire = f"UPDATE {table} SET expire_time = now() WHERE organization_id = %s AND {condition} RETURNING 1"
        await races.rows(pair, expire, [acme])
    for one_more in (one_more_member, one_more_invitation):
        await call(strict, *await one_more(people, acme, ada))
