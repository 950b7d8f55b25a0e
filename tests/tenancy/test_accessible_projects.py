"""tenancy.v1.AccessService/ListAccessibleProjects: all of them, with the roles of the one pure function."""

from collections.abc import AsyncIterator
from itertools import product
from uuid import UUID, uuid4

import grpc
import psycopg
import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from protos.tenancy.v1 import access_pb2 as pb
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from shared.database import Database, Row, Tx
from shared.reasons import Reason
from tenancy_service.handlers.accessible_projects import inheriting
from tenancy_service.permissions import OrgRole, ProjectRole, effective_project_role
from tenancy_service.queries.accessible_projects import list_accessible_projects
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People
from tests.calls import fails, outcome

VIEWER, EDITOR, ADMIN = ProjectRole.VIEWER, ProjectRole.EDITOR, ProjectRole.ADMIN
# What may stand in project_members: nothing, a row that inherits, each role, and one that has expired.
INHERITS, EXPIRED = "inherits", "expired"
OVERRIDES = [None, INHERITS, EXPIRED, *ProjectRole]

ORGANIZATION = (
    "INSERT INTO organizations (organization_id, slug, display_name, default_project_role) VALUES (%s,%s,'',%s)"
)
MEMBER = "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, %s)"
PROJECT = "INSERT INTO projects (organization_id, project_id, slug, display_name) VALUES (%s, %s, %s, 'The API')"
OVERRIDE = """INSERT INTO project_members (organization_id, project_id, user_id, inherited_from_org, role, expire_time)
              VALUES (%s, %s, %s, %s, %s, CASE WHEN %s THEN now() END)"""
MANY = """
INSERT INTO organizations (organization_id, slug, display_name)
SELECT gen_random_uuid(), 'o' || n, '' FROM generate_series(1, 2000) n;
INSERT INTO organization_members (organization_id, user_id, role)
SELECT organization_id, '{user_id}', 'MEMBER' FROM organizations WHERE slug ~ '^o[0-9]+$';
INSERT INTO projects (organization_id, project_id, slug, display_name)
SELECT organization_id, gen_random_uuid(), 'p' || n, ''
  FROM organizations JOIN organization_members USING (organization_id), generate_series(1, 5) n
 WHERE user_id = '{user_id}'"""

READ = text("SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'projects'")


@pytest.fixture(scope="module")
def access(tenancy: grpc.aio.Channel) -> AccessServiceStub:
    return AccessServiceStub(tenancy)


async def walk(
    access: AccessServiceStub, metadata: Metadata, request: pb.ListAccessibleProjectsRequest
) -> list[pb.AccessibleProject]:
    """All pages; none is longer than asked, and only the last may be shorter."""
    found: list[pb.AccessibleProject] = []
    request = pb.ListAccessibleProjectsRequest.FromString(request.SerializeToString())
    while True:
        page = await access.ListAccessibleProjects(request, metadata=metadata)
        found += page.projects
        request.page_token = page.next_page_token
        if not page.next_page_token:
            assert len(page.projects) <= request.page_size or not request.page_size
            return found
        assert len(page.projects) == (request.page_size or 50)


async def every_combination(pair: Pair, user_id: str) -> dict[tuple[str, str], tuple[int, int]]:
    """What the pure function says of one person in organizations of every kind, by organization and project."""
    expected: dict[tuple[str, str], tuple[int, int]] = {}
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        for role, default in product(OrgRole, ProjectRole):
            organization_id = uuid7()
            await connection.execute(ORGANIZATION, (organization_id, f"o-{organization_id.hex[-12:]}", default.name))
            await connection.execute(MEMBER, (organization_id, user_id, role.name))
            for n, override in enumerate(OVERRIDES):
                project_id = uuid7()
                await connection.execute(PROJECT, (organization_id, project_id, f"api-{n}"))
                decides = override if isinstance(override, ProjectRole) else None
                if override is not None:
                    stored = ADMIN if override == EXPIRED else decides
                    row = (stored is None, stored.name if stored else None, override == EXPIRED)
                    await connection.execute(OVERRIDE, (organization_id, project_id, user_id, *row))
                role_here, source = effective_project_role(role, decides, default)
                expected[str(organization_id), str(project_id)] = int(role_here), int(source)
    return expected


async def test_every_combination_of_roles_is_listed_as_the_pure_function_says(
    access: AccessServiceStub, pair: Pair, people: People
) -> None:
    ada = await people.person()
    expected = await every_combination(pair, ada.user_id)
    assert len(expected) == len(OrgRole) * len(ProjectRole) * len(OVERRIDES)
    for least in (VIEWER, EDITOR, ADMIN):
        request = pb.ListAccessibleProjectsRequest(page_size=7, least_role=least.value)  # type: ignore[arg-type]
        found = await walk(access, ada.metadata, request)
        told = {(p.organization_id, p.project_id): (int(p.role), int(p.source)) for p in found}
        assert told == {place: answer for place, answer in expected.items() if answer[0] >= least}
        in_order = [(p.organization_id, p.project_id) for p in found]
        assert in_order == sorted(told)
    one = next(iter(expected))[0]
    in_one = await walk(access, ada.metadata, pb.ListAccessibleProjectsRequest(organization_id=one, page_size=1))
    seen = [
        project for (organization, project), (role, _) in expected.items() if organization == one and role >= VIEWER
    ]
    assert [project.project_id for project in in_one] == seen


async def test_what_has_ended_or_is_deleted_is_not_listed(
    access: AccessServiceStub, pair: Pair, people: People
) -> None:
    ada, bo = await people.persons(2)
    for statement in (
        "UPDATE organizations SET delete_time = now(), purge_time = now() WHERE organization_id = %(acme)s",
        "UPDATE projects SET delete_time = now(), purge_time = now() WHERE project_id = %(api)s",
        "UPDATE organization_members SET expire_time = now() WHERE organization_id = %(acme)s AND role <> 'OWNER'",
    ):
        for role in ("MEMBER", "GUEST"):
            acme = await people.organization(ada, **{role: bo})
            api = await people.project(acme, ada, EDITOR=bo)
            request = pb.ListAccessibleProjectsRequest(organization_id=acme)
            assert [p.project_id for p in await walk(access, bo.metadata, request)] == [api]
            async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
                await connection.execute(statement.encode(), {"acme": acme, "api": api})
            assert await walk(access, bo.metadata, request) == []


async def test_a_permission_asks_for_its_least_role_and_the_higher_of_two_counts(
    access: AccessServiceStub, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    read, edit, lead = [await people.project(acme, ada, **{role: bo}) for role in ("VIEWER", "EDITOR", "ADMIN")]

    async def found(permission: str, least: ProjectRole | None = None) -> list[str]:
        request = pb.ListAccessibleProjectsRequest(permission=permission)
        if least:
            request.least_role = least.value  # type: ignore[assignment]
        return [project.project_id for project in await walk(access, bo.metadata, request)]

    assert await found("") == await found("project:read") == [read, edit, lead]
    assert await found("project:read", EDITOR) == [edit, lead]
    assert await found("project:update") == await found("project:update", EDITOR) == [lead]


async def test_people_list_their_own_and_services_anybodys(access: AccessServiceStub, people: People) -> None:
    ada, zoe = await people.persons(2)
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    about_ada = pb.ListAccessibleProjectsRequest(user_id=ada.user_id)
    [project] = await walk(access, AS_OPERATOR, about_ada)
    assert [project] == await walk(access, ada.metadata, about_ada)
    assert [project] == await walk(access, ada.metadata, pb.ListAccessibleProjectsRequest())
    assert (project.project_id, project.organization_id, project.display_name) == (api, acme, project.slug)
    for metadata in (zoe.metadata, AS_OPERATOR + zoe.metadata):
        async with fails(Reason.PERMISSION_DENIED):
            await access.ListAccessibleProjects(about_ada, metadata=metadata)
    async with fails(Reason.BAD_REQUEST) as failure:
        await access.ListAccessibleProjects(pb.ListAccessibleProjectsRequest(), metadata=AS_OPERATOR)
    assert list(failure.fields) == ["user_id"]
    hidden, absent = [
        await outcome(
            access.ListAccessibleProjects(
                pb.ListAccessibleProjectsRequest(organization_id=organization_id), metadata=zoe.metadata
            )
        )
        for organization_id in (acme, str(uuid4()))
    ]
    assert hidden == absent == b"OK "


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListAccessibleProjectsRequest(page_size=-1), "page_size"),
        (pb.ListAccessibleProjectsRequest(organization_id="acme"), "organization_id"),
        (pb.ListAccessibleProjectsRequest(user_id="ada"), "user_id"),
        (pb.ListAccessibleProjectsRequest(least_role=1), "least_role"),  # type: ignore[arg-type]
        (pb.ListAccessibleProjectsRequest(least_role=9), "least_role"),  # type: ignore[arg-type]
        (pb.ListAccessibleProjectsRequest(permission="members:read"), "permission"),
        (pb.ListAccessibleProjectsRequest(permission="x" * 102), "permission"),
        (pb.ListAccessibleProjectsRequest(page_token="x"), "page_token"),
    ],
)
async def test_a_list_that_cannot_be_is_refused(
    access: AccessServiceStub, people: People, request_: pb.ListAccessibleProjectsRequest, field: str
) -> None:
    ada = await people.person()
    async with fails(Reason.BAD_REQUEST) as failure:
        await access.ListAccessibleProjects(request_, metadata=ada.metadata)
    assert list(failure.fields) == [field]


async def test_an_unknown_permission_is_an_error_that_names_the_nearest(
    access: AccessServiceStub, people: People
) -> None:
    ada = await people.person()
    async with fails(Reason.PERMISSION_UNKNOWN) as failure:
        await access.ListAccessibleProjects(
            pb.ListAccessibleProjectsRequest(permission="projects:read"), metadata=ada.metadata
        )
    assert failure.metadata["nearest"] == "project:read"


async def test_a_page_token_goes_with_its_arguments_only(access: AccessServiceStub, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    for _ in range(2):
        await people.project(acme, ada)
    first = await access.ListAccessibleProjects(pb.ListAccessibleProjectsRequest(page_size=1), metadata=ada.metadata)
    for changed in ({"organization_id": acme}, {"permission": "project:read"}, {"least_role": 2}):
        request = pb.ListAccessibleProjectsRequest(page_token=first.next_page_token, **changed)
        async with fails(Reason.BAD_REQUEST):
            await access.ListAccessibleProjects(request, metadata=ada.metadata)


async def test_what_stays_is_listed_once_while_projects_and_memberships_come_and_go(
    access: AccessServiceStub, pair: Pair, people: People
) -> None:
    ada, bo = await people.persons(2)
    places = [await people.organization(ada, MEMBER=bo) for _ in range(4)]
    projects = {acme: [await people.project(acme, ada) for _ in range(3)] for acme in places}
    found: list[str] = []
    request = pb.ListAccessibleProjectsRequest(page_size=2)
    for n in range(10):
        page = await access.ListAccessibleProjects(request, metadata=bo.metadata)
        found += [project.project_id for project in page.projects]
        request.page_token = page.next_page_token
        if n == 1:  # in the middle of the second organization
            await people.project(places[0], ada)
            async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
                gone = (places[1], places[2])
                await connection.execute(
                    "DELETE FROM organization_members WHERE organization_id IN (%s, %s) AND role = 'MEMBER'", gone
                )
        if not page.next_page_token:
            break
    assert len(found) == len(set(found))
    assert set(projects[places[0]] + projects[places[3]]) <= set(found)
    assert not set(projects[places[2]]) & set(found)


@pytest.fixture
async def crowded(databases: Databases) -> AsyncIterator[tuple[Database, UUID]]:
    """A database in which somebody is in 2,000 organizations with five projects each."""
    user_id = uuid4()
    url = databases.service_url("tenancy", databases.copy("tenancy"))
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(MANY.format(user_id=user_id).encode())
    database = Database(url, pool_size=1, name="test", constraint_errors={})
    yield database, user_id
    await database.close()


async def test_somebody_in_two_thousand_organizations_walks_through_all_and_a_page_reads_little_more_than_it_shows(
    crowded: tuple[Database, UUID],
) -> None:
    database, user_id = crowded

    async def page(tx: Tx, after: tuple[UUID, UUID] | None, limit: int) -> list[Row]:
        return await list_accessible_projects(
            tx,
            user_id=user_id,
            organization_id=None,
            inheriting=inheriting(VIEWER),
            enough=["VIEWER", "EDITOR", "ADMIN"],
            after=after,
            limit=limit,
        )

    after: tuple[UUID, UUID] | None = None
    seen: list[UUID] = []
    for _ in range(10):
        async with database.transaction() as tx:
            rows = await page(tx, after, 1000)
        seen += [row.project_id for row in rows]
        after = rows[-1].organization_id, rows[-1].project_id
    assert len(seen) == len(set(seen)) == 10_000
    async with database.transaction() as tx:
        assert await page(tx, after, 50) == []
        before = (await tx.execute(READ)).scalar_one()
        assert len(await page(tx, None, 50)) == 50
        assert (await tx.execute(READ)).scalar_one() - before < 500  # of 10,000
