"""tenancy.v1.ProjectService."""

from uuid import uuid4

import grpc
import psycopg
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct

from protos.tenancy.v1 import projects_pb2 as pb
from protos.tenancy.v1.organizations_pb2 import Organization, UpdateOrganizationRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.projects_pb2_grpc import ProjectServiceStub
from protos.tenancy.v1.roles_pb2 import ProjectRole
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails, outcome


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
    request.slug = "Web-1"
    async with fails(Reason.PERMISSION_DENIED):
        await projects.CreateProject(request, metadata=cy.metadata)
    by_service = (await projects.CreateProject(request, metadata=AS_OPERATOR)).project
    assert (by_service.slug, by_service.caller_role) == ("web-1", ProjectRole.PROJECT_ROLE_UNSPECIFIED)
    async with fails(Reason.PERMISSION_DENIED):  # with a person the person decides
        await projects.CreateProject(request, metadata=AS_OPERATOR + cy.metadata)


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


async def test_a_project_is_found_by_its_slug_too_and_places_of_others_answer_like_nothing(
    projects: ProjectServiceStub, people: People
) -> None:
    ada, cy, zoe = await people.persons(3)
    acme = await people.organization(ada, MEMBER=cy)
    api, shut = await people.project(acme, ada), await people.project(acme, ada, NONE=cy)
    [slug, shut_slug] = [
        (await projects.GetProject(pb.GetProjectRequest(project_id=id_), metadata=ada.metadata)).project.slug
        for id_ in (api, shut)
    ]

    def by_slug(organization_id: str, slug: str) -> pb.GetProjectRequest:
        return pb.GetProjectRequest(organization_id=organization_id, slug=slug)

    for metadata in (cy.metadata, AS_OPERATOR):
        assert (await projects.GetProject(by_slug(acme, slug.upper()), metadata=metadata)).project.project_id == api
    hidden = [
        await outcome(projects.GetProject(request, metadata=person.metadata))
        for person, request in (
            (zoe, by_slug(acme, slug)),
            (zoe, by_slug(str(uuid4()), slug)),
            (cy, by_slug(acme, shut_slug)),
            (cy, by_slug(acme, "nothing")),
        )
    ]
    assert len(set(hidden)) == 1
    assert b"PERMISSION_DENIED" in hidden[0]


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (pb.GetProjectRequest(), ["organization_id", "slug"]),
        (pb.GetProjectRequest(organization_id=str(uuid4())), ["slug"]),
        (pb.GetProjectRequest(slug="api"), ["organization_id"]),
        (pb.GetProjectRequest(project_id=str(uuid4()), slug="api"), ["project_id"]),
        (pb.GetProjectRequest(project_id="api"), ["project_id"]),
        # The Kelvin sign, whose lower case is an ordinary k.
        (pb.GetProjectRequest(organization_id=str(uuid4()), slug="\u212aelvin"), ["slug"]),
    ],
)
async def test_a_project_that_cannot_be_meant_is_refused(
    projects: ProjectServiceStub, request_: pb.GetProjectRequest, fields: list[str]
) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await projects.GetProject(request_, metadata=AS_OPERATOR)
    assert list(failure.fields) == fields


def struct(**values: str) -> Struct:
    made = Struct()
    made.update(values)
    return made


async def test_metadata_is_for_the_product_and_the_private_half_for_services(
    projects: ProjectServiceStub, people: People
) -> None:
    ada, cy = await people.persons(2)
    acme = await people.organization(ada, MEMBER=cy)
    request = pb.CreateProjectRequest(organization_id=acme, slug="api", public_metadata=struct(color="red"))
    api = (await projects.CreateProject(request, metadata=ada.metadata)).project.project_id
    change = pb.Project(project_id=api, private_metadata=struct(plan="gold"))
    update = pb.UpdateProjectRequest(project=change)
    told = (await projects.UpdateProject(update, metadata=AS_OPERATOR)).project
    assert (told.public_metadata, told.private_metadata) == (struct(color="red"), struct(plan="gold"))
    for metadata in (ada.metadata, AS_OPERATOR + ada.metadata):
        async with fails(Reason.BAD_REQUEST):
            await projects.UpdateProject(update, metadata=metadata)
    get, list_ = pb.GetProjectRequest(project_id=api), pb.ListProjectsRequest(organization_id=acme)
    for metadata, sees in ((cy.metadata, False), (AS_OPERATOR + cy.metadata, False), (AS_OPERATOR, True)):
        read = (await projects.GetProject(get, metadata=metadata)).project
        [listed_] = (await projects.ListProjects(list_, metadata=metadata)).projects
        for project in (read, listed_):
            assert project.public_metadata == struct(color="red")
            assert project.HasField("private_metadata") is sees
    mask = pb.UpdateProjectRequest(project=pb.Project(project_id=api), update_mask=FieldMask(paths=["public_metadata"]))
    assert not (await projects.UpdateProject(mask, metadata=ada.metadata)).project.public_metadata.fields
    mask.project.public_metadata.update({"text": "x" * 8192})
    async with fails(Reason.BAD_REQUEST) as failure:
        await projects.UpdateProject(mask, metadata=ada.metadata)
    assert list(failure.fields) == ["project.public_metadata"]


async def test_a_service_alone_changes_the_metadata_and_nothing_else(
    projects: ProjectServiceStub, people: People
) -> None:
    ada = await people.person()
    api = await people.project(await people.organization(ada), ada)
    for name in ("slug", "display_name"):
        request = pb.UpdateProjectRequest(project=pb.Project(project_id=api), update_mask=FieldMask(paths=[name]))
        setattr(request.project, name, "another")
        async with fails(Reason.BAD_REQUEST) as failure:
            await projects.UpdateProject(request, metadata=AS_OPERATOR)
        assert failure.fields == {"update_mask": "only public_metadata, private_metadata can be updated"}
        await projects.UpdateProject(request, metadata=AS_OPERATOR + ada.metadata)


async def test_what_the_caller_may_do_there_is_told(projects: ProjectServiceStub, people: People) -> None:
    ada, cy, di = await people.persons(3)
    acme = await people.organization(ada, MEMBER=cy, GUEST=di)
    api = await people.project(acme, ada, EDITOR=di)
    may_all = [
        "project:delete", "project:read", "project:update", "project_members:read", "project_members:update",
    ]  # fmt: skip
    for metadata, actions in (
        (ada.metadata, may_all),
        (cy.metadata, ["project:read", "project_members:read"]),
        (di.metadata, ["project:read", "project_members:read"]),
        (AS_OPERATOR, []),
    ):
        read = (await projects.GetProject(pb.GetProjectRequest(project_id=api), metadata=metadata)).project
        [told] = (await projects.ListProjects(pb.ListProjectsRequest(organization_id=acme), metadata=metadata)).projects
        assert list(read.authorized_actions) == list(told.authorized_actions) == actions


async def test_a_page_of_large_projects_is_as_many_as_a_message_holds_and_none_is_missed(
    projects: ProjectServiceStub, pair: Pair, people: People
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        await connection.execute(
            """INSERT INTO projects (organization_id, project_id, slug, display_name, public_metadata)
               SELECT %s, gen_random_uuid(), 'p' || n, '', jsonb_build_object('text', repeat('x', 8000))
                 FROM generate_series(1, 400) n""",
            (acme,),
        )
    assert len(await listed(projects, acme, ada, page_size=1000)) == 400


async def test_an_update_is_written_down_told_and_answered_once(
    projects: ProjectServiceStub, pair: Pair, people: People
) -> None:
    ada = await people.person()
    api = await people.project(await people.organization(ada), ada)
    request = pb.UpdateProjectRequest(
        project=pb.Project(project_id=api, display_name="Better", slug="Better"), request_id=str(uuid4())
    )
    updated = await projects.UpdateProject(request, metadata=ada.metadata)
    assert updated.project.slug == "better"
    assert await projects.UpdateProject(request, metadata=ada.metadata) == updated
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        query = "SELECT action, details FROM audit_events WHERE project_id = %s ORDER BY audit_event_id"
        written = await (await connection.execute(query, (api,))).fetchall()
        query = "SELECT type, message FROM events WHERE project_id = %s ORDER BY event_id"
        told = await (await connection.execute(query, (api,))).fetchall()
    assert written[1:] == [("PROJECT_UPDATED", {"fields": ["display_name", "slug"]})]
    assert [type_ for type_, _ in told] == ["PROJECT_CREATED", "PROJECT_UPDATED"]
    in_event = pb.Project.FromString(told[1][1])
    assert (in_event.slug, in_event.etag) == ("better", updated.project.etag)
    assert in_event.caller_role == ProjectRole.PROJECT_ROLE_UNSPECIFIED
