"""tenancy.v1.OrganizationService."""

import asyncio
from uuid import uuid4

import grpc
import pytest

from protos.tenancy.v1 import organizations_pb2 as pb
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import code, fails
from tests.tenancy.races import rows


@pytest.fixture(scope="module")
def organizations(tenancy: grpc.aio.Channel) -> OrganizationServiceStub:
    return OrganizationServiceStub(tenancy)


async def test_whoever_creates_an_organization_owns_it(
    organizations: OrganizationServiceStub, people: People, pair: Pair
) -> None:
    ada, slug = await people.person("ada"), people.slug()
    made = await organizations.CreateOrganization(
        pb.CreateOrganizationRequest(slug=slug, display_name="  Acme Inc. "), metadata=ada.metadata
    )
    organization = made.organization
    assert (organization.slug, organization.display_name) == (slug, "Acme Inc.")
    assert organization.caller_role == OrgRole.ORG_ROLE_OWNER
    assert organization.default_project_role == ProjectRole.PROJECT_ROLE_VIEWER
    assert "organization:transfer" in organization.authorized_actions
    assert "project:read" not in organization.authorized_actions
    for request in (
        pb.GetOrganizationRequest(organization_id=organization.organization_id),
        pb.GetOrganizationRequest(slug=slug),
    ):
        read = await organizations.GetOrganization(request, metadata=ada.metadata)
        assert read.organization == organization
    told = await rows(
        pair,
        "SELECT type, user_id::text FROM events WHERE organization_id = %s ORDER BY event_id",
        [organization.organization_id],
    )
    assert told == [("ORGANIZATION_CREATED", None), ("MEMBER_ADDED", ada.user_id)]
    written = "SELECT action, actor_user_id::text FROM audit_events WHERE organization_id = %s ORDER BY audit_event_id"
    assert await rows(pair, written, [organization.organization_id]) == [
        ("ORGANIZATION_CREATED", ada.user_id),
        ("MEMBER_ADDED", ada.user_id),
    ]


async def test_without_a_display_name_it_is_called_by_its_slug(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada, slug = await people.person(), people.slug()
    made = await organizations.CreateOrganization(pb.CreateOrganizationRequest(slug=slug), metadata=ada.metadata)
    assert made.organization.display_name == slug


@pytest.mark.parametrize("slug", ["", "ab", "a" * 41, "\u212aelvin", "-acme", "acme-", "a--b", "a_b", "äcme", "acme\n"])
async def test_a_slug_of_another_form_is_refused(
    organizations: OrganizationServiceStub, people: People, slug: str
) -> None:
    ada = await people.person()
    async with fails(Reason.BAD_REQUEST) as failure:
        await organizations.CreateOrganization(pb.CreateOrganizationRequest(slug=slug), metadata=ada.metadata)
    assert failure.fields == {"slug": "3 to 40 of a-z, 0-9 and single hyphens inside are needed"}


async def test_a_taken_slug_is_refused_and_of_eight_at_once_one_gets_it(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada, slug = await people.person(), people.slug()

    request = pb.CreateOrganizationRequest(slug=slug)
    creations = [code(organizations.CreateOrganization(request, metadata=ada.metadata)) for _ in range(8)]
    assert sorted(await asyncio.gather(*creations)) == ["ALREADY_EXISTS"] * 7 + ["OK"]
    async with fails(Reason.SLUG_TAKEN):
        await organizations.CreateOrganization(pb.CreateOrganizationRequest(slug=slug), metadata=ada.metadata)


async def test_a_repeated_request_gets_the_first_response(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada, bo = await people.persons(2)
    request = pb.CreateOrganizationRequest(slug=people.slug(), request_id=str(uuid4()))
    responses = await asyncio.gather(
        *[organizations.CreateOrganization(request, metadata=ada.metadata) for _ in range(8)]
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
        request = pb.UpdateOrganizationRequest(organization=change)
        return await code(organizations.UpdateOrganization(request, metadata=ada.metadata))

    outcomes = await asyncio.gather(*[rename(f"name {n}") for n in range(8)])
    assert sorted(outcomes) == ["ABORTED"] * 7 + ["OK"]


@pytest.mark.parametrize(
    ("change", "paths", "field"),
    [
        (pb.Organization(), [], "update_mask"),
        (pb.Organization(slug="new"), ["organization_id"], "update_mask"),
        (pb.Organization(display_name=" "), ["display_name"], "organization.display_name"),
        (pb.Organization(), ["default_project_role"], "organization.default_project_role"),
        (pb.Organization(default_project_role=77), [], "organization.default_project_role"),  # type: ignore[arg-type]
        (pb.Organization(slug="_New"), [], "organization.slug"),
        (pb.Organization(slug="Admin"), [], "organization.slug"),
        (pb.Organization(), ["private_metadata"], "update_mask"),
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


async def test_a_repeated_update_gets_the_first_response_and_is_written_once(
    organizations: OrganizationServiceStub, people: People, pair: Pair
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    change = pb.Organization(
        organization_id=acme, display_name="New", default_project_role=ProjectRole.PROJECT_ROLE_EDITOR
    )
    request = pb.UpdateOrganizationRequest(organization=change, request_id=str(uuid4()))
    first, second = [await organizations.UpdateOrganization(request, metadata=ada.metadata) for _ in range(2)]
    assert first == second
    written = "SELECT details FROM audit_events WHERE organization_id = %s AND action = 'ORGANIZATION_UPDATED'"
    [[details]] = await rows(pair, written, [acme])
    assert details == {"fields": ["default_project_role", "display_name"], "before": "VIEWER", "after": "EDITOR"}
    told = "SELECT message FROM events WHERE organization_id = %s AND type = 'ORGANIZATION_UPDATED'"
    [[message]] = await rows(pair, told, [acme])
    now = first.organization
    now.ClearField("caller_role")
    now.ClearField("authorized_actions")
    assert pb.Organization.FromString(message) == now


async def test_who_has_no_say_learns_nothing_of_stale_etags_and_taken_slugs(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    for change in (pb.Organization(display_name="New", etag="stale"), pb.Organization(slug="taken-or-not")):
        change.organization_id = acme
        async with fails(Reason.PERMISSION_DENIED):
            request = pb.UpdateOrganizationRequest(organization=change)
            await organizations.UpdateOrganization(request, metadata=bo.metadata)


async def test_a_service_alone_changes_metadata_and_nothing_else(
    organizations: OrganizationServiceStub, people: People
) -> None:
    ada = await people.person()
    change = pb.Organization(organization_id=await people.organization(ada), display_name="New")
    async with fails(Reason.BAD_REQUEST) as failure:
        request = pb.UpdateOrganizationRequest(organization=change)
        await organizations.UpdateOrganization(request, metadata=AS_OPERATOR)
    assert failure.fields == {"update_mask": "nothing to update; allowed: public_metadata, private_metadata"}
