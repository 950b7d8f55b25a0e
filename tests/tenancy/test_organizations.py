"""tenancy.v1.OrganizationService."""

import asyncio
from typing import Any
from uuid import uuid4

import grpc
import pytest

from protos.tenancy.v1 import organizations_pb2 as pb
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails


@pytest.fixture(scope="module")
def organizations(tenancy: grpc.aio.Channel) -> OrganizationServiceStub:
    return OrganizationServiceStub(tenancy)


async def test_whoever_creates_an_organization_owns_it(organizations: OrganizationServiceStub, people: People) -> None:
    ada, slug = await people.person("ada"), people.slug()
    made = await organizations.CreateOrganization(
        pb.CreateOrganizationRequest(slug=slug, display_name="  Acme Inc. "), metadata=ada.metadata
    )
    organization = made.organization
    assert (organization.slug, organization.display_name) == (slug, "Acme Inc.")
    assert organization.caller_role == OrgRole.ORG_ROLE_OWNER
    assert organization.default_project_role == ProjectRole.PROJECT_ROLE_VIEWER
    for request in (
        pb.GetOrganizationRequest(organization_id=organization.organization_id),
        pb.GetOrganizationRequest(slug=slug),
    ):
        read = await organizations.GetOrganization(request, metadata=ada.metadata)
        assert read.organization == organization


async def test_without_a_display_name_it_is_called_by_its_slug(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada, slug = await people.person(), people.slug()
    made = await organizations.CreateOrganization(pb.CreateOrganizationRequest(slug=slug), metadata=ada.metadata)
    assert made.organization.display_name == slug


@pytest.mark.parametrize("slug", ["", "ab", "a" * 41, "Acme", "-acme", "acme-", "a--b", "a_b", "äcme", "acme\n"])
async def test_a_slug_of_another_form_is_refused(
    organizations: OrganizationServiceStub, people: People, slug: str
) -> None:
    ada = await people.person()
    async with fails(Reason.BAD_REQUEST) as failure:
        await organizations.CreateOrganization(pb.CreateOrganizationRequest(slug=slug), metadata=ada.metadata)
    assert failure.fields == {"slug": "3 to 40 of a-z, 0-9 and single hyphens inside are needed"}


async def test_a_taken_slug_is_refused_and_of_fifty_at_once_one_gets_it(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada, slug = await people.person(), people.slug()

    async def create() -> str:
        try:
            await organizations.CreateOrganization(pb.CreateOrganizationRequest(slug=slug), metadata=ada.metadata)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    assert sorted(await asyncio.gather(*[create() for _ in range(50)])) == ["ALREADY_EXISTS"] * 49 + ["OK"]
    async with fails(Reason.SLUG_TAKEN):
        await organizations.CreateOrganization(pb.CreateOrganizationRequest(slug=slug), metadata=ada.metadata)


async def test_a_repeated_request_gets_the_first_response(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada, bo = await people.persons(2)
    request = pb.CreateOrganizationRequest(slug=people.slug(), request_id=str(uuid4()))
    responses = await asyncio.gather(
        *[organizations.CreateOrganization(request, metadata=ada.metadata) for _ in range(20)]
    )
    assert all(response == responses[0] for response in responses)
    other = pb.CreateOrganizationRequest(slug=people.slug(), request_id=request.request_id)
    async with fails(Reason.REQUEST_ID_REUSED):
        await organizations.CreateOrganization(other, metadata=ada.metadata)
    await organizations.CreateOrganization(other, metadata=bo.metadata)  # ids are each caller's own


async def test_a_failed_request_may_be_sent_again(organizations: OrganizationServiceStub, people: People) -> None:
    ada, slug = await people.person(), people.slug()
    await organizations.CreateOrganization(pb.CreateOrganizationRequest(slug=slug), metadata=ada.metadata)
    request = pb.CreateOrganizationRequest(slug=slug, request_id=str(uuid4()))
    for _ in range(2):
        async with fails(Reason.SLUG_TAKEN):
            await organizations.CreateOrganization(request, metadata=ada.metadata)


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


async def test_an_administrator_updates_what_the_mask_names(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=cy)
    change = pb.Organization(
        organization_id=acme, display_name="New", default_project_role=ProjectRole.PROJECT_ROLE_NONE
    )
    request = pb.UpdateOrganizationRequest(organization=change)
    request.update_mask.paths.append("display_name")
    updated = (await organizations.UpdateOrganization(request, metadata=bo.metadata)).organization
    assert updated.display_name == "New"
    assert updated.default_project_role == ProjectRole.PROJECT_ROLE_VIEWER
    assert updated.caller_role == OrgRole.ORG_ROLE_ADMIN
    request.ClearField("update_mask")  # all that is set
    again = (await organizations.UpdateOrganization(request, metadata=bo.metadata)).organization
    assert again.default_project_role == ProjectRole.PROJECT_ROLE_NONE
    async with fails(Reason.PERMISSION_DENIED):
        await organizations.UpdateOrganization(request, metadata=cy.metadata)


async def test_a_stale_etag_is_refused_and_nothing_is_lost(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    read = (
        await organizations.GetOrganization(pb.GetOrganizationRequest(organization_id=acme), metadata=ada.metadata)
    ).organization

    async def rename(name: str) -> str:
        change = pb.Organization(organization_id=acme, display_name=name, etag=read.etag)
        try:
            await organizations.UpdateOrganization(
                pb.UpdateOrganizationRequest(organization=change), metadata=ada.metadata
            )
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    outcomes = await asyncio.gather(*[rename(f"name {n}") for n in range(10)])
    assert sorted(outcomes) == ["ABORTED"] * 9 + ["OK"]


@pytest.mark.parametrize(
    ("change", "paths", "field"),
    [
        (pb.Organization(), [], "update_mask"),
        (pb.Organization(slug="new"), ["organization_id"], "update_mask"),
        (pb.Organization(display_name=" "), ["display_name"], "organization.display_name"),
        (pb.Organization(), ["default_project_role"], "organization.default_project_role"),
        (pb.Organization(default_project_role=77), [], "organization.default_project_role"),  # type: ignore[arg-type]
        (pb.Organization(slug="New"), [], "organization.slug"),
    ],
)
async def test_an_update_of_what_cannot_be_is_refused(
    organizations: OrganizationServiceStub, people: People, change: pb.Organization, paths: list[str], field: str
) -> None:
    ada = await people.person()
    request = pb.UpdateOrganizationRequest(organization=change)
    request.organization.organization_id = await people.organization(ada)
    request.update_mask.paths.extend(paths)
    async with fails(Reason.BAD_REQUEST) as failure:
        await organizations.UpdateOrganization(request, metadata=ada.metadata)
    assert list(failure.fields) == [field]
