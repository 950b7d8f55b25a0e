"""Organizations deleted softly, and taken back."""

from uuid import uuid4

import grpc

from protos.tenancy.v1 import access_pb2 as access
from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import organizations_pb2 as pb
from protos.tenancy.v1 import projects_pb2 as projects
from protos.tenancy.v1.roles_pb2 import OrgRole
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People
from tests.calls import fails
from tests.tenancy import races
from tests.tenancy.rpcs import call, checks, everything_of

PAST_PURGE = "UPDATE organizations SET purge_time = now() - interval '1 s' WHERE organization_id = %s RETURNING 1"


async def delete(tenancy: grpc.aio.Channel, acme: str, metadata: Metadata, **fields: object) -> pb.Organization:
    request = pb.DeleteOrganizationRequest(organization_id=acme, **fields)  # type: ignore[arg-type]
    response: pb.DeleteOrganizationResponse = await call(tenancy, request, metadata)
    return response.organization


async def undelete(tenancy: grpc.aio.Channel, acme: str, metadata: Metadata) -> pb.Organization:
    request = pb.UndeleteOrganizationRequest(organization_id=acme)
    response: pb.UndeleteOrganizationResponse = await call(tenancy, request, metadata)
    return response.organization


async def written(pair: Pair, acme: str) -> tuple[list[str], list[str]]:
    """Actions of the audit and types of events, but of members and projects."""
    audit = "SELECT action FROM audit_events WHERE organization_id = %s AND action LIKE 'ORG%%' ORDER BY audit_event_id"
    events = "SELECT type FROM events WHERE organization_id = %s AND type LIKE 'ORG%%' ORDER BY event_id"
    return [row[0] for row in await races.rows(pair, audit, [acme])], [
        row[0] for row in await races.rows(pair, events, [acme])
    ]


async def test_an_owner_deletes_it_and_at_once_nobody_has_access(
    tenancy: grpc.aio.Channel, people: People, pair: Pair
) -> None:
    ada, bo, cy = everybody = await people.persons(3)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=cy)
    api = await people.project(acme, ada, ADMIN=cy)
    before = await everything_of(pair, acme)
    allowed = await checks(tenancy, everybody, acme, [api])
    for person in (bo, cy):
        async with fails(Reason.PERMISSION_DENIED):
            await delete(tenancy, acme, person.metadata, force=True)
    gone = await delete(tenancy, acme, ada.metadata, force=True)
    days = pair.tenancy_settings.organization_purge_days
    assert gone.purge_time.seconds - gone.delete_time.seconds == days * 24 * 3600
    assert (gone.caller_role, list(gone.authorized_actions)) == (OrgRole.ORG_ROLE_OWNER, [])
    told = await checks(tenancy, everybody, acme, [api])
    assert {(role, actions) for role, _, actions in told.values()} == {(0, frozenset())}
    for request in (
        pb.GetOrganizationRequest(organization_id=acme),
        pb.DeleteOrganizationRequest(organization_id=acme),
        members.ListOrganizationMembersRequest(organization_id=acme),
        projects.GetProjectRequest(project_id=api),
        projects.CreateProjectRequest(organization_id=acme, slug="new-one"),
    ):
        for metadata in (ada.metadata, AS_OPERATOR, AS_OPERATOR + ada.metadata):
            async with fails(Reason.PERMISSION_DENIED):
                await call(tenancy, request, metadata)

    back = await undelete(tenancy, acme, ada.metadata)
    assert not back.HasField("delete_time")
    assert not back.HasField("purge_time")
    assert "organization:delete" in back.authorized_actions
    assert await checks(tenancy, everybody, acme, [api]) == allowed
    after = await everything_of(pair, acme)
    for table in ("organization_slugs", "organization_members", "projects", "project_members"):
        assert after[table] == before[table]
    names = ["ORGANIZATION_CREATED", "ORGANIZATION_DELETED", "ORGANIZATION_UNDELETED"]
    assert await written(pair, acme) == (names, names)


async def test_one_with_projects_needs_force_and_deleted_projects_do_not_count(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    async with fails(Reason.ORGANIZATION_NOT_EMPTY):
        await delete(tenancy, acme, ada.metadata)
    await call(tenancy, projects.DeleteProjectRequest(project_id=api), ada.metadata)
    assert (await delete(tenancy, acme, ada.metadata)).HasField("delete_time")


async def test_a_stale_etag_deletes_nothing(tenancy: grpc.aio.Channel, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    async with fails(Reason.ETAG_MISMATCH):
        await delete(tenancy, acme, ada.metadata, etag="stale")
    read = await call(tenancy, pb.GetOrganizationRequest(organization_id=acme), ada.metadata)
    assert (await delete(tenancy, acme, ada.metadata, etag=read.organization.etag)).HasField("delete_time")


async def test_a_preview_of_the_deletion_names_everybody_and_deletes_nothing(
    tenancy: grpc.aio.Channel, people: People, pair: Pair
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    before = await everything_of(pair, acme)
    request = pb.DeleteOrganizationRequest(organization_id=acme, validate_only=True)
    told = await call(tenancy, request, ada.metadata)
    assert {change.user_id for change in told.changes} == {ada.user_id, bo.user_id}
    assert told.change_count == 2
    assert all(change.organization_role_after == OrgRole.ORG_ROLE_UNSPECIFIED for change in told.changes)
    assert await everything_of(pair, acme) == before
    async with fails(Reason.PERMISSION_DENIED):
        await call(tenancy, request, bo.metadata)


async def test_a_repeated_deletion_gets_the_first_response_also_after_undeletion(
    tenancy: grpc.aio.Channel, people: People, pair: Pair
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    request_id = str(uuid4())
    gone = await delete(tenancy, acme, ada.metadata, request_id=request_id)
    await undelete(tenancy, acme, ada.metadata)
    assert await delete(tenancy, acme, ada.metadata, request_id=request_id) == gone
    assert (await written(pair, acme))[0].count("ORGANIZATION_DELETED") == 1


async def test_a_service_deletes_and_undeletes(tenancy: grpc.aio.Channel, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    gone = await delete(tenancy, acme, AS_OPERATOR)
    assert gone.caller_role == OrgRole.ORG_ROLE_UNSPECIFIED
    assert not (await undelete(tenancy, acme, AS_OPERATOR)).HasField("delete_time")


async def test_undeleting_is_for_its_owners_and_no_error_where_nothing_is_deleted(
    tenancy: grpc.aio.Channel, people: People, pair: Pair
) -> None:
    ada, bo, cy, zoe = await people.persons(4)
    acme = await people.organization(ada, OWNER=cy, ADMIN=bo)
    await delete(tenancy, acme, ada.metadata)
    for person in (bo, zoe):
        async with fails(Reason.PERMISSION_DENIED):
            await undelete(tenancy, acme, person.metadata)
    async with fails(Reason.PERMISSION_DENIED):
        await undelete(tenancy, acme, AS_OPERATOR + bo.metadata)
    back = await undelete(tenancy, acme, cy.metadata)
    assert await undelete(tenancy, acme, ada.metadata) == back
    async with fails(Reason.PERMISSION_DENIED):
        await undelete(tenancy, acme, bo.metadata)
    assert (await written(pair, acme))[0].count("ORGANIZATION_UNDELETED") == 1


async def test_past_its_purge_time_it_does_not_come_back(tenancy: grpc.aio.Channel, people: People, pair: Pair) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    await delete(tenancy, acme, ada.metadata)
    await races.rows(pair, PAST_PURGE, [acme])
    for metadata in (ada.metadata, AS_OPERATOR):
        async with fails(Reason.PERMISSION_DENIED):
            await undelete(tenancy, acme, metadata)


async def test_what_is_deleted_takes_no_place_in_the_quota_and_needs_none_to_come_back(
    tenancy: grpc.aio.Channel, people: People, pair: Pair
) -> None:
    ada = await people.person()
    limit = pair.tenancy_settings.organizations_per_user
    made = await races.organizations(pair, limit, OWNER=ada.user_id)
    async with fails(Reason.QUOTA_EXCEEDED):
        await people.organization(ada)
    await delete(tenancy, made[0], ada.metadata)
    await people.organization(ada)
    await undelete(tenancy, made[0], ada.metadata)
    async with fails(Reason.QUOTA_EXCEEDED):
        await people.organization(ada)


async def test_an_explained_or_checked_place_that_is_deleted_is_like_none(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    question = access.CheckAccessRequest(organization_id=acme, permission="organization:read")
    await delete(tenancy, acme, ada.metadata)
    hidden = await call(tenancy, question, ada.metadata)
    question.organization_id = str(uuid4())
    assert hidden == await call(tenancy, question, ada.metadata)
