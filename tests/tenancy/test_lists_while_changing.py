"""Every list, walked to its end in small pages while others add and remove rows: what stays is there, and once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.message import Message

from protos.tenancy.v1 import (
    access_pb2,
    audit_events_pb2,
    invitations_pb2,
    organization_members_pb2,
    organizations_pb2,
    project_members_pb2,
    projects_pb2,
)
from tenantry.testing.pair import Pair
from tenantry.testing.people import People, TestPerson
from tests.tenancy.races import execute, organizations, rows
from tests.tenancy.rpcs import METHODS, call

STAY, GO, PAGE = 40, 30, 7

MEMBERS = """INSERT INTO organization_members (organization_id, user_id, role)
             SELECT %(acme)s, gen_random_uuid(), 'MEMBER' FROM generate_series(1, %(count)s) RETURNING user_id::text"""
PROJECTS = """INSERT INTO projects (organization_id, project_id, slug, display_name)
              SELECT %(acme)s, id, 'p' || id, 'P'
                FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, %(count)s)) ids
              RETURNING project_id::text"""
INVITATIONS = """INSERT INTO invitations
                     (organization_id, invitation_id, email, email_key, role, inviter_service, expire_time)
                 SELECT organization_id, invitation_id, email, email, 'GUEST', 'operator', now() + interval '1 day'
                   FROM (SELECT unnest(%(places)s::uuid[]), gen_random_uuid(), unnest(%(emails)s::text[]))
                        AS new (organization_id, invitation_id, email)
                 RETURNING invitation_id::text"""
AUDIT_EVENTS = """INSERT INTO audit_events (organization_id, audit_event_id, action)
                  SELECT %(acme)s, gen_random_uuid(), 'MEMBER_ADDED' FROM generate_series(1, %(count)s)
                  RETURNING audit_event_id::text"""


class Place:
    """One organization, whose rows come and go."""

    def __init__(self, pair: Pair, owner: TestPerson, acme: str, api: str) -> None:
        self.pair, self.owner, self.acme, self.api = pair, owner, acme, api

    async def insert(self, statement: str, count: int, **more: object) -> list[str]:
        values = {"acme": self.acme, "count": count, **more}
        return [row[0] for row in await rows(self.pair, statement, values)]

    async def members(self, count: int) -> list[str]:
        return await self.insert(MEMBERS, count)

    async def projects(self, count: int) -> list[str]:
        return await self.insert(PROJECTS, count)

    async def audit_events(self, count: int) -> list[str]:
        return await self.insert(AUDIT_EVENTS, count)

    async def organizations(self, count: int) -> list[str]:
        return await organizations(self.pair, count, OWNER=self.owner.user_id)

    async def invitations(self, count: int) -> list[str]:
        emails = [f"{name}@example.com" for name in await self.members(count)]
        return await self.insert(INVITATIONS, count, places=[self.acme] * count, emails=emails)

    async def my_invitations(self, count: int) -> list[str]:
        places = await organizations(self.pair, count)
        return await self.insert(INVITATIONS, count, places=places, emails=[self.owner.email] * count)


@dataclass(frozen=True)
class Walked:
    """How rows come, which table they go from (None: they stay), how they are asked for and called."""

    add: Callable[[Place, int], Awaitable[list[str]]]
    table: str | None
    request: Callable[[Place], Message]
    items: str
    key: str
    falling: bool = False


LISTS = {
    "ListOrganizations": Walked(
        Place.organizations,
        "organizations",
        lambda _: organizations_pb2.ListOrganizationsRequest(page_size=PAGE),
        "organizations",
        "organization_id",
    ),
    "ListOrganizationMembers": Walked(
        Place.members,
        "organization_members",
        lambda place: organization_members_pb2.ListOrganizationMembersRequest(
            organization_id=place.acme, page_size=PAGE
        ),
        "members",
        "user_id",
    ),
    "ListInvitations": Walked(
        Place.invitations,
        "invitations",
        lambda place: invitations_pb2.ListInvitationsRequest(organization_id=place.acme, page_size=PAGE),
        "invitations",
        "invitation_id",
        falling=True,
    ),
    "ListMyInvitations": Walked(
        Place.my_invitations,
        "invitations",
        lambda _: invitations_pb2.ListMyInvitationsRequest(page_size=PAGE),
        "invitations",
        "invitation_id",
        falling=True,
    ),
    "ListProjects": Walked(
        Place.projects,
        "projects",
        lambda place: projects_pb2.ListProjectsRequest(organization_id=place.acme, page_size=PAGE),
        "projects",
        "project_id",
    ),
    "ListProjectMembers": Walked(
        Place.members,
        "organization_members",
        lambda place: project_members_pb2.ListProjectMembersRequest(project_id=place.api, page_size=PAGE),
        "members",
        "user_id",
    ),
    "ListAccessibleProjects": Walked(
        Place.projects,
        "projects",
        lambda _: access_pb2.ListAccessibleProjectsRequest(page_size=PAGE),
        "projects",
        "project_id",
    ),
    "ListAuditEvents": Walked(
        Place.audit_events,
        None,
        lambda place: audit_events_pb2.ListAuditEventsRequest(organization_id=place.acme, page_size=PAGE),
        "audit_events",
        "audit_event_id",
        falling=True,
    ),
}


def test_every_list_with_pages_is_walked() -> None:
    with_pages = {method.name for method in METHODS.values() if "page_token" in method.input_type.fields_by_name}
    assert LISTS.keys() == with_pages


@pytest.mark.parametrize("walked", LISTS.values(), ids=LISTS.keys())
async def test_what_stays_is_listed_once_whatever_comes_and_goes(pair: Pair, people: People, walked: Walked) -> None:
    owner = await people.person()
    acme = await people.organization(owner)
    place = Place(pair, owner, acme, await people.project(acme, owner))
    stay = set(await walked.add(place, STAY))
    going = await walked.add(place, GO)
    ever = stay | set(going)
    before = set(await everything(place, walked)) - ever  # what comes with the organization itself

    found: list[str] = []
    request: Any = walked.request(place)
    while True:
        response = await call(pair.tenancy.channel, request, owner.metadata)
        page = [getattr(item, walked.key) for item in getattr(response, walked.items)]
        assert len(page) <= PAGE
        found += page
        if not response.next_page_token:
            break
        request.page_token = response.next_page_token
        # Others add rows and remove some, among them the last of this page, before and behind where the walk is.
        ever |= set(await walked.add(place, 3))
        if walked.table:
            gone = [each for each in going if each in page[-1:]] + going[:2]
            going = [each for each in going if each not in gone]
            delete = f"DELETE FROM {walked.table} WHERE {walked.key} = ANY(%s::uuid[])"
            await execute(pair, delete, (gone,))
    assert found == sorted(set(found), reverse=walked.falling)
    assert stay <= set(found)
    assert set(found) <= ever | before


async def everything(place: Place, walked: Walked) -> list[str]:
    request: Any = walked.request(place)
    request.page_size = 1_000
    response = await call(place.pair.tenancy.channel, request, place.owner.metadata)
    assert not response.next_page_token
    return [getattr(item, walked.key) for item in getattr(response, walked.items)]
