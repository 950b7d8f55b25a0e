"""tenancy.v1.ProjectService."""

from uuid import uuid4

import grpc
import pytest

from protos.tenancy.v1 import projects_pb2 as pb
from protos.tenancy.v1.organizations_pb2 import Organization, UpdateOrganizationRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.projects_pb2_grpc import ProjectServiceStub
from protos.tenancy.v1.roles_pb2 import ProjectRole
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails


@pytest.fixture(scope="module")
def projects(tenancy: grpc.aio.Channel) -> ProjectServiceStub:
    return ProjectServiceStub(tenancy)


async def test_an_administrator_creates_a_project_and_members_see_it(
    projects: ProjectServiceStub, people: People
) -> None:
    ada, bo, cy, guest = await people.persons(4)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=cy, GUEST=guest)
    request = pb.CreateProjectRequest(organization_id=acme, slug="api", display_name="The API")
    made = (await projects.CreateProject(request, metadata=bo.metadata)).project
    assert (made.organization_id, made.slug, made.display_name) == (acme, "api", "The API")
    assert made.caller_role == ProjectRole.PROJECT_ROLE_ADMIN
    get = pb.GetProjectRequest(project_id=made.project_id)
    seen = (await projects.GetProject(get, metadata=cy.metadata)).project
    assert seen.caller_role == ProjectRole.PROJECT_ROLE_VIEWER
    assert (await projects.GetProject(get, metadata=AS_OPERATOR)).project.slug == "api"
    async with fails(Reason.PERMISSION_DENIED):
        await projects.GetProject(get, metadata=guest.metadata)
    request.slug = "web"
    async with fails(Reason.PERMISSION_DENIED):
        await projects.CreateProject(request, metadata=cy.metadata)


async def test_slugs_are_unique_within_an_organization_only(projects: ProjectServiceStub, people: People) -> None:
    ada = await people.person()
    acme, other = await people.organization(ada), await people.organization(ada)
    request = pb.CreateProjectRequest(organization_id=acme, slug="api", request_id=str(uuid4()))
    made = await projects.CreateProject(request, metadata=ada.metadata)
    assert await projects.CreateProject(request, metadata=ada.metadata) == made
    request.ClearField("request_id")
    async with fails(Reason.SLUG_TAKEN):
        await projects.CreateProject(request, metadata=ada.metadata)
    request.organization_id = other
    await projects.CreateProject(request, metadata=ada.metadata)


async def listed(
    projects: ProjectServiceStub, organization_id: str, person: TestPerson, page_size: int = 2
) -> dict[str, int]:
    """The roles of a person on the projects they see, by project."""
    found: dict[str, int] = {}
    token = ""
    while True:
        request = pb.ListProjectsRequest(organization_id=organization_id, page_size=page_size, page_token=token)
        page = await projects.ListProjects(request, metadata=person.metadata)
        found |= {project.project_id: int(project.caller_role) for project in page.projects}
        token = page.next_page_token
        if not token:
            return found


async def test_everybody_lists_exactly_the_projects_they_can_see_with_their_role(
    projects: ProjectServiceStub, people: People, tenancy: grpc.aio.Channel
) -> None:
    ada, bo, cy, guest, outsider = await people.persons(5)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=cy, GUEST=guest)
    plain = [await people.project(acme, ada) for _ in range(3)]
    shut = await people.project(acme, ada, NONE=cy)
    lent = await people.project(acme, ada, EDITOR=guest)
    lowered = await people.project(acme, ada, VIEWER=bo)
    admin, viewer, editor = (ProjectRole.Value(f"PROJECT_ROLE_{name}") for name in ("ADMIN", "VIEWER", "EDITOR"))
    everything = dict.fromkeys([*plain, shut, lent, lowered], int(admin))
    assert await listed(projects, acme, ada) == everything
    assert await listed(projects, acme, bo) == {**everything, lowered: viewer}
    assert await listed(projects, acme, cy) == dict.fromkeys([*plain, lent, lowered], viewer)
    assert await listed(projects, acme, guest) == {lent: editor}
    page = await projects.ListProjects(pb.ListProjectsRequest(organization_id=acme), metadata=AS_OPERATOR)
    assert {project.project_id for project in page.projects} == everything.keys()
    async with fails(Reason.PERMISSION_DENIED):
        await listed(projects, acme, outsider)
    closed = Organization(organization_id=acme, default_project_role=ProjectRole.PROJECT_ROLE_NONE)
    await OrganizationServiceStub(tenancy).UpdateOrganization(
        UpdateOrganizationRequest(organization=closed), metadata=ada.metadata
    )
    assert await listed(projects, acme, cy) == {}


async def test_a_project_administrator_updates_it_and_a_lowered_one_does_not(
    projects: ProjectServiceStub, people: People
) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=cy)
    api = await people.project(acme, ada, ADMIN=cy, EDITOR=bo)
    request = pb.UpdateProjectRequest(project=pb.Project(project_id=api, slug="better", display_name="Better"))
    updated = (await projects.UpdateProject(request, metadata=cy.metadata)).project
    assert (updated.slug, updated.display_name) == ("better", "Better")
    assert updated.update_time.ToDatetime() > updated.create_time.ToDatetime()
    async with fails(Reason.PERMISSION_DENIED):
        await projects.UpdateProject(request, metadata=bo.metadata)
    request.project.etag = "1"
    async with fails(Reason.ETAG_MISMATCH):
        await projects.UpdateProject(request, metadata=ada.metadata)
    request.project.etag = updated.etag
    await projects.UpdateProject(request, metadata=ada.metadata)
    await people.project(acme, ada)
    other = pb.CreateProjectRequest(organization_id=acme, slug="taken")
    await projects.CreateProject(other, metadata=ada.metadata)
    rename = pb.UpdateProjectRequest(project=pb.Project(project_id=api, slug="taken"))
    async with fails(Reason.SLUG_TAKEN):
        await projects.UpdateProject(rename, metadata=ada.metadata)
