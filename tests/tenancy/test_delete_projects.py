"""tenancy.v1.ProjectService: a project deleted softly, and taken back."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import grpc
import psycopg
import pytest

from protos.tenancy.v1 import projects_pb2 as pb
from protos.tenancy.v1.access_pb2 import CheckAccessRequest
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from protos.tenancy.v1.projects_pb2_grpc import ProjectServiceStub
from protos.tenancy.v1.roles_pb2 import ProjectRole
from shared.reasons import Reason
from tenantry.testing.pair import Pair, running_tenancy
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import code, fails, outcome

DAYS_30 = 30 * 24 * 3600
Rows = Callable[..., Awaitable[list[tuple[object, ...]]]]


@pytest.fixture(scope="module")
def projects(tenancy: grpc.aio.Channel) -> ProjectServiceStub:
    return ProjectServiceStub(tenancy)


@pytest.fixture(scope="module")
def rows(pair: Pair) -> Rows:
    async def execute(statement: str, *values: object) -> list[tuple[object, ...]]:
        async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    return execute


async def role_on(pair: Pair, project_id: str, person: TestPerson) -> str:
    answer = await AccessServiceStub(pair.tenancy.channel).CheckAccess(
        CheckAccessRequest(project_id=project_id, permission="project:read"), metadata=person.metadata
    )
    return ProjectRole.Name(answer.project_role).removeprefix("PROJECT_ROLE_")


async def listed(projects: ProjectServiceStub, acme: str, person: TestPerson | None, *, deleted: bool) -> list[str]:
    request = pb.ListProjectsRequest(organization_id=acme, show_deleted=deleted)
    page = await projects.ListProjects(request, metadata=person.metadata if person else AS_OPERATOR)
    return [project.project_id for project in page.projects]


async def test_a_deleted_project_grants_nothing_and_undeleted_everything_is_as_it_was(
    projects: ProjectServiceStub, pair: Pair, people: People, rows: Rows
) -> None:
    ada, bo, cy, di = await people.persons(4)
    acme = await people.organization(ada, MEMBER=[bo, cy, di])
    api = await people.project(acme, ada, ADMIN=bo, NONE=cy)
    roles = {"ADMIN": bo, "NONE": cy, "VIEWER": di}
    deleted = (await projects.DeleteProject(pb.DeleteProjectRequest(project_id=api), metadata=bo.metadata)).project
    assert deleted.purge_time.seconds - deleted.delete_time.seconds == DAYS_30
    assert (deleted.caller_role, list(deleted.authorized_actions)) == (ProjectRole.PROJECT_ROLE_ADMIN, [])
    assert [await role_on(pair, api, person) for person in roles.values()] == ["NONE"] * 3
    async with fails(Reason.PERMISSION_DENIED):
        await projects.GetProject(pb.GetProjectRequest(project_id=api), metadata=ada.metadata)
    back = (await projects.UndeleteProject(pb.UndeleteProjectRequest(project_id=api), metadata=bo.metadata)).project
    assert not back.HasField("delete_time")
    assert not back.HasField("purge_time")
    assert len({back.etag, deleted.etag}) == 2
    assert "project:delete" in back.authorized_actions
    assert {role: await role_on(pair, api, person) for role, person in roles.items()} == {role: role for role in roles}
    told = await rows(
        "SELECT action, actor_user_id::text FROM audit_events WHERE project_id = %s ORDER BY audit_event_id", api
    )
    assert told[-2:] == [("PROJECT_DELETED", bo.user_id), ("PROJECT_UNDELETED", bo.user_id)]
    told = await rows(
        "SELECT type, message IS NULL FROM events WHERE project_id = %s AND user_id IS NULL ORDER BY event_id", api
    )
    assert told == [("PROJECT_CREATED", False), ("PROJECT_DELETED", True), ("PROJECT_UNDELETED", False)]


async def test_deleting_needs_the_role_the_etag_and_something_to_delete(
    projects: ProjectServiceStub, people: People
) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=cy)
    api = await people.project(acme, ada, EDITOR=bo)
    for person in (bo, cy):
        async with fails(Reason.PERMISSION_DENIED):
            await projects.DeleteProject(pb.DeleteProjectRequest(project_id=api), metadata=person.metadata)
    async with fails(Reason.ETAG_MISMATCH):
        await projects.DeleteProject(pb.DeleteProjectRequest(project_id=api, etag="9"), metadata=ada.metadata)
    etag = (await projects.GetProject(pb.GetProjectRequest(project_id=api), metadata=ada.metadata)).project.etag
    request = pb.DeleteProjectRequest(project_id=api, etag=etag, request_id=str(uuid4()))
    deleted = await projects.DeleteProject(request, metadata=AS_OPERATOR)
    assert deleted.project.caller_role == ProjectRole.PROJECT_ROLE_UNSPECIFIED
    assert await projects.DeleteProject(request, metadata=AS_OPERATOR) == deleted
    again, never = [
        await outcome(projects.DeleteProject(pb.DeleteProjectRequest(project_id=id_), metadata=ada.metadata))
        for id_ in (api, str(uuid4()))
    ]
    assert again == never
    async with fails(Reason.BAD_REQUEST) as failure:
        await projects.DeleteProject(
            pb.DeleteProjectRequest(project_id="api", etag="\0", request_id="x"), metadata=ada.metadata
        )
    assert list(failure.fields) == ["project_id", "etag", "request_id"]


async def test_validate_only_says_who_would_lose_what_and_deletes_nothing(
    projects: ProjectServiceStub, pair: Pair, people: People, rows: Rows
) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, MEMBER=[bo, cy])
    api = await people.project(acme, ada, NONE=cy)
    count = "SELECT count(*) FROM audit_events WHERE project_id = %s"
    before = await rows(count, api)
    request = pb.DeleteProjectRequest(project_id=api, validate_only=True)
    told = await projects.DeleteProject(request, metadata=ada.metadata)
    lost = {change.user_id: set(change.lost) for change in told.changes}
    assert lost.keys() == {ada.user_id, bo.user_id}
    assert lost[bo.user_id] == {"project:read", "project_members:read"} < lost[ada.user_id]
    assert told.change_count == 2
    assert (await role_on(pair, api, bo), await rows(count, api)) == ("VIEWER", before)
    async with fails(Reason.PERMISSION_DENIED):
        await projects.DeleteProject(request, metadata=bo.metadata)
    request.etag = "9"
    async with fails(Reason.ETAG_MISMATCH):
        await projects.DeleteProject(request, metadata=ada.metadata)


async def test_undeleting_is_for_who_could_delete_it_and_is_no_error_when_there_is_nothing_to_do(
    projects: ProjectServiceStub, people: People, rows: Rows
) -> None:
    ada, bo, cy, zoe = await people.persons(4)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=cy)
    api = await people.project(acme, ada, VIEWER=bo)
    undelete = pb.UndeleteProjectRequest(project_id=api)
    same = await projects.UndeleteProject(undelete, metadata=ada.metadata)
    assert (
        same.project == (await projects.GetProject(pb.GetProjectRequest(project_id=api), metadata=ada.metadata)).project
    )
    assert await rows("SELECT 1 FROM audit_events WHERE project_id = %s AND action = 'PROJECT_UNDELETED'", api) == []
    await projects.DeleteProject(pb.DeleteProjectRequest(project_id=api), metadata=ada.metadata)
    never = pb.UndeleteProjectRequest(project_id=str(uuid4()))
    for person in (bo, cy, zoe):
        hidden = await outcome(projects.UndeleteProject(undelete, metadata=person.metadata))
        assert hidden == await outcome(projects.UndeleteProject(never, metadata=person.metadata))
        assert b"PERMISSION_DENIED" in hidden
    undelete.request_id = str(uuid4())
    back = await projects.UndeleteProject(undelete, metadata=AS_OPERATOR)
    assert await projects.UndeleteProject(undelete, metadata=AS_OPERATOR) == back
    assert await listed(projects, acme, ada, deleted=False) == [api]


async def test_deleted_ones_are_listed_for_who_may_undelete_them(
    projects: ProjectServiceStub, people: People, rows: Rows
) -> None:
    ada, bo, cy, di = await people.persons(4)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=cy, GUEST=di)
    here = await people.project(acme, ada)
    plain, lowered = await people.project(acme, ada), await people.project(acme, ada, EDITOR=bo)
    lent, over = await people.project(acme, ada, ADMIN=di), await people.project(acme, ada)
    for gone in (plain, lowered, lent, over):
        await projects.DeleteProject(pb.DeleteProjectRequest(project_id=gone), metadata=ada.metadata)
    await rows("UPDATE projects SET purge_time = now() WHERE project_id = %s", over)
    for person, shown in (
        (ada, [here, plain, lowered, lent]),
        (None, [here, plain, lowered, lent]),
        (bo, [here, plain, lent]),
        (cy, [here]),
        (di, [lent]),
    ):
        assert await listed(projects, acme, person, deleted=True) == shown
        assert await listed(projects, acme, person, deleted=False) == [id_ for id_ in shown if id_ == here]
    page = await projects.ListProjects(
        pb.ListProjectsRequest(organization_id=acme, show_deleted=True), metadata=ada.metadata
    )
    assert [bool(p.authorized_actions) for p in page.projects] == [not p.HasField("delete_time") for p in page.projects]


async def test_when_its_time_has_come_it_is_not_taken_back_though_no_worker_has_purged_it(
    projects: ProjectServiceStub, pair: Pair, people: People
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    settings = pair.tenancy_settings.model_copy(update={"project_purge_days": 0})
    async with running_tenancy(settings) as at_once:
        stub = ProjectServiceStub(at_once.channel)
        await stub.DeleteProject(pb.DeleteProjectRequest(project_id=api), metadata=ada.metadata)
        for metadata in (ada.metadata, AS_OPERATOR):
            async with fails(Reason.PERMISSION_DENIED):
                await stub.UndeleteProject(pb.UndeleteProjectRequest(project_id=api), metadata=metadata)


async def test_the_slug_stays_taken_and_the_quota_counts_what_is_there(
    projects: ProjectServiceStub, pair: Pair, people: People
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    settings = pair.tenancy_settings.model_copy(update={"projects_per_organization": 1})
    async with running_tenancy(settings) as small:
        stub = ProjectServiceStub(small.channel)
        create = pb.CreateProjectRequest(organization_id=acme, slug="api")
        api = (await stub.CreateProject(create, metadata=ada.metadata)).project.project_id
        create.slug = "web"
        async with fails(Reason.QUOTA_EXCEEDED) as failure:
            await stub.CreateProject(create, metadata=ada.metadata)
        assert failure.metadata["setting"] == "PROJECTS_PER_ORGANIZATION"
        await stub.DeleteProject(pb.DeleteProjectRequest(project_id=api), metadata=ada.metadata)
        create.slug = "api"
        async with fails(Reason.SLUG_TAKEN):
            await stub.CreateProject(create, metadata=ada.metadata)
        create.slug = "web"
        await stub.CreateProject(create, metadata=ada.metadata)
        async with fails(Reason.QUOTA_EXCEEDED):
            await stub.UndeleteProject(pb.UndeleteProjectRequest(project_id=api), metadata=ada.metadata)
    assert await listed(projects, acme, ada, deleted=True) != []


async def test_the_projects_of_a_deleted_organization_are_not_taken_back(
    projects: ProjectServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    await projects.DeleteProject(pb.DeleteProjectRequest(project_id=api), metadata=ada.metadata)
    await rows("UPDATE organizations SET delete_time = now(), purge_time = now() WHERE organization_id = %s", acme)
    for metadata in (ada.metadata, AS_OPERATOR):
        async with fails(Reason.PERMISSION_DENIED):
            await projects.UndeleteProject(pb.UndeleteProjectRequest(project_id=api), metadata=metadata)


async def test_delete_against_undelete_and_update_each_is_whole_and_told_in_order(
    projects: ProjectServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    for n in range(30):
        codes = await asyncio.gather(
            code(projects.DeleteProject(pb.DeleteProjectRequest(project_id=api), metadata=ada.metadata)),
            code(projects.UndeleteProject(pb.UndeleteProjectRequest(project_id=api), metadata=ada.metadata)),
            code(
                projects.UpdateProject(
                    pb.UpdateProjectRequest(project=pb.Project(project_id=api, display_name=f"Round {n}")),
                    metadata=ada.metadata,
                )
            ),
        )
        assert set(codes) <= {"OK", "PERMISSION_DENIED", "ABORTED"}
    told = [
        type_ for (type_,) in await rows("SELECT type FROM events WHERE project_id = %s ORDER BY xid, event_id", api)
    ]
    there = True
    for type_ in told[1:]:
        # Deleted only when there, undeleted only when not, and updated only when there.
        assert there is (type_ != "PROJECT_UNDELETED"), told
        there = type_ == "PROJECT_UNDELETED" or (there and type_ != "PROJECT_DELETED")
    assert (await listed(projects, acme, ada, deleted=False) == [api]) is there
