"""tenancy.v1.OrganizationService/ListOrganizations."""

from collections.abc import Sequence
from typing import Any

import grpc
import pytest

from protos.tenancy.v1 import organizations_pb2 as pb
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People
from tests.calls import fails
from tests.tenancy import races
from tests.tenancy.rpcs import call


@pytest.fixture(scope="module")
def organizations(tenancy: grpc.aio.Channel) -> OrganizationServiceStub:
    return OrganizationServiceStub(tenancy)


async def listed(pair: Pair, metadata: Metadata, **fields: Any) -> Sequence[pb.Organization]:
    """All pages."""
    found: list[pb.Organization] = []
    request = pb.ListOrganizationsRequest(**fields)
    while True:
        page = await call(pair.tenancy.channel, request, metadata)
        found += page.organizations
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return found


def ids(found: Sequence[pb.Organization]) -> list[str]:
    return [organization.organization_id for organization in found]


async def test_lists_are_mine_with_my_role_complete_and_in_pages(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada, bo = await people.persons(2)
    mine = [await people.organization(ada, GUEST=bo) for _ in range(5)]
    await people.organization(bo)
    for person, role in ((ada, OrgRole.ORG_ROLE_OWNER), (bo, OrgRole.ORG_ROLE_GUEST)):
        found: list[Any] = []
        token = ""
        while True:
            page = await organizations.ListOrganizations(
                pb.ListOrganizationsRequest(page_size=2, page_token=token), metadata=person.metadata
            )
            found += page.organizations
            token = page.next_page_token
            if not token:
                break
        ids = [organization.organization_id for organization in found]
        assert ids[:5] == mine
        assert len(ids) == (5 if person is ada else 6)
        assert all(organization.caller_role == role for organization in found[:5])


async def test_a_service_lists_those_of_a_user_and_a_person_only_their_own(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    request = pb.ListOrganizationsRequest(user_id=ada.user_id)
    page = await organizations.ListOrganizations(request, metadata=AS_OPERATOR)
    assert [organization.organization_id for organization in page.organizations] == [acme]
    everything = await organizations.ListOrganizations(pb.ListOrganizationsRequest(page_size=3), metadata=AS_OPERATOR)
    assert len(everything.organizations) == 3
    assert everything.organizations[0].caller_role == OrgRole.ORG_ROLE_UNSPECIFIED
    async with fails(Reason.PERMISSION_DENIED):
        await organizations.ListOrganizations(request, metadata=bo.metadata)


async def test_a_page_token_is_refused_for_another_caller_or_other_arguments_or_damaged(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada, bo = await people.persons(2)
    for _ in range(2):
        await people.organization(ada, MEMBER=bo)
    page = await organizations.ListOrganizations(pb.ListOrganizationsRequest(page_size=1), metadata=ada.metadata)
    for token, metadata in (
        (page.next_page_token, bo.metadata),
        (page.next_page_token[:-2] + "AA", ada.metadata),
        ("rubbish", ada.metadata),
        ("ä", ada.metadata),
    ):
        async with fails(Reason.BAD_REQUEST) as failure:
            await organizations.ListOrganizations(pb.ListOrganizationsRequest(page_token=token), metadata=metadata)
        assert "page_token" in failure.fields
    async with fails(Reason.BAD_REQUEST) as failure:
        await organizations.ListOrganizations(pb.ListOrganizationsRequest(page_size=-1), metadata=ada.metadata)
    assert failure.fields == {"page_size": "negative, 0 to 1,000 are allowed"}


async def test_two_thousand_memberships_come_in_pages_each_once_with_its_role(pair: Pair, people: People) -> None:
    ada, bo = await people.persons(2)
    owned = await races.organizations(pair, 800, OWNER=ada.user_id)
    joined = await races.organizations(pair, 1200, OWNER=bo.user_id, GUEST=ada.user_id)
    found = await listed(pair, ada.metadata, page_size=700)
    assert ids(found) == sorted(owned + joined)
    roles = {organization.organization_id: organization.caller_role for organization in found}
    assert roles == dict.fromkeys(owned, OrgRole.ORG_ROLE_OWNER) | dict.fromkeys(joined, OrgRole.ORG_ROLE_GUEST)
    assert ids(await listed(pair, ada.metadata, page_size=700, filter='role = "OWNER"')) == sorted(owned)
    actions = {organization.caller_role: list(organization.authorized_actions) for organization in found}
    assert actions[OrgRole.ORG_ROLE_GUEST] == ["organization:read"]
    assert "organization:delete" in actions[OrgRole.ORG_ROLE_OWNER]


async def test_pages_of_large_organizations_are_shorter_and_still_complete(pair: Pair, people: People) -> None:
    ada = await people.person()
    made = await races.organizations(pair, 400, OWNER=ada.user_id)
    large = "UPDATE organizations SET public_metadata = %s WHERE organization_id = ANY(%s) RETURNING 1"
    await races.rows(pair, large, [f'{{"notes": "{"x" * 8000}"}}', made])
    page = await call(pair.tenancy.channel, pb.ListOrganizationsRequest(page_size=400), ada.metadata)
    assert 1 <= len(page.organizations) < 400
    assert ids(await listed(pair, ada.metadata, page_size=400)) == sorted(made)


async def test_a_service_filters_by_the_role_of_a_user_and_finds_the_ownerless(pair: Pair, people: People) -> None:
    ada, bo = await people.persons(2)
    owned, joined = await people.organization(ada), await people.organization(bo, ADMIN=ada)
    orphan = "UPDATE organizations SET ownerless_time = now() WHERE organization_id = %s RETURNING 1"
    await races.rows(pair, orphan, [joined])
    for wanted, found in (
        ('role = "ADMIN"', [joined]),
        ('role != "ADMIN"', [owned]),
        ("ownerless = true", [joined]),
        ("ownerless = false", [owned]),
    ):
        assert ids(await listed(pair, AS_OPERATOR, user_id=ada.user_id, filter=wanted)) == found
    everywhere = await listed(pair, AS_OPERATOR, filter="ownerless = true")
    assert joined in ids(everywhere)
    assert all(organization.ownerless for organization in everywhere)
    [theirs] = await listed(pair, AS_OPERATOR, user_id=ada.user_id, filter='role = "ADMIN"')
    assert theirs.caller_role == OrgRole.ORG_ROLE_ADMIN
    assert not theirs.authorized_actions


async def test_only_a_service_without_a_session_sees_deleted_ones(pair: Pair, people: People) -> None:
    ada = await people.person()
    acme, gone = await people.organization(ada), await people.organization(ada)
    await call(pair.tenancy.channel, pb.DeleteOrganizationRequest(organization_id=gone), ada.metadata)
    assert ids(await listed(pair, ada.metadata)) == [acme]
    assert ids(await listed(pair, AS_OPERATOR, user_id=ada.user_id)) == [acme]
    found = await listed(pair, AS_OPERATOR, user_id=ada.user_id, show_deleted=True)
    assert ids(found) == [acme, gone]
    assert [organization.HasField("delete_time") for organization in found] == [False, True]
    for metadata in (ada.metadata, AS_OPERATOR + ada.metadata):
        async with fails(Reason.PERMISSION_DENIED):
            await listed(pair, metadata, show_deleted=True)


@pytest.mark.parametrize(
    ("as_service", "filter_"),
    [
        (False, "ownerless = true"),
        (True, 'role = "OWNER"'),
        (True, "ownerless = yes"),
        (False, 'role = "KING"'),
        (False, 'slug = "acme"'),
        (False, "role = OWNER" + " " * 1000),
    ],
)
async def test_a_filter_of_what_cannot_be_asked_is_refused(
    pair: Pair, people: People, as_service: bool, filter_: str
) -> None:
    metadata = AS_OPERATOR if as_service else (await people.person()).metadata
    async with fails(Reason.BAD_REQUEST) as failure:
        await listed(pair, metadata, filter=filter_)
    assert list(failure.fields) == ["filter"]


async def test_a_page_token_is_for_the_same_filter_only(pair: Pair, people: People) -> None:
    ada = await people.person()
    for _ in range(2):
        await people.organization(ada)
    page = await call(pair.tenancy.channel, pb.ListOrganizationsRequest(page_size=1), ada.metadata)
    async with fails(Reason.BAD_REQUEST) as failure:
        await listed(pair, ada.metadata, page_token=page.next_page_token, filter='role = "OWNER"')
    assert list(failure.fields) == ["page_token"]
