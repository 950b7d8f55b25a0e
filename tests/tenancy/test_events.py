"""What StreamEvents of tenancy tells of a place: all that happens to it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf.message import Message

from protos.tenancy.v1 import events_pb2 as pb
from protos.tenancy.v1 import invitations_pb2 as invitations
from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import organizations_pb2 as organizations
from protos.tenancy.v1 import project_members_pb2 as project_members
from protos.tenancy.v1 import projects_pb2 as projects
from protos.tenancy.v1.events_pb2_grpc import EventServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole, RoleSource
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People
from tests.calls import fails
from tests.event_reading import next_of, take
from tests.tenancy.rpcs import call


@pytest.fixture
async def following(pair: Pair) -> AsyncIterator[Any]:
    """A stream of the pair that everybody shares; what others do comes with it."""
    stream = EventServiceStub(pair.tenancy.channel).StreamEvents(pb.StreamEventsRequest(), metadata=AS_OPERATOR)
    await next_of(stream)
    yield stream
    stream.cancel()


async def of_organization(stream: Any, organization_id: str, count: int) -> list[pb.Event]:
    found: list[pb.Event] = []
    while len(found) < count:
        [message] = await take(stream, 1)
        if message.event.organization_id == organization_id:
            found.append(message.event)
    return found


async def test_all_that_happens_to_an_organization_is_told_in_order_as_it_is_then(
    pair: Pair, people: People, following: Any
) -> None:
    ada, bo, rae = await people.persons(3)
    channel, editor = pair.tenancy.channel, ProjectRole.PROJECT_ROLE_EDITOR
    member, guest = OrgRole.ORG_ROLE_MEMBER, OrgRole.ORG_ROLE_GUEST
    create = organizations.CreateOrganizationRequest(slug=people.slug())
    create.public_metadata["plan"] = "free"
    acme = (await call(channel, create, ada.metadata)).organization.organization_id
    in_acme = {"organization_id": acme}
    named = organizations.Organization(**in_acme, display_name="Acme")
    private = organizations.Organization(**in_acme)
    private.private_metadata["plan"] = "secret"
    create_project = projects.CreateProjectRequest(**in_acme, slug="api")
    invite = invitations.CreateInvitationRequest(**in_acme, email=rae.email, role=member)
    await people.add(acme, bo, "MEMBER")
    changes: list[tuple[Message, Metadata]] = [
        (organizations.UpdateOrganizationRequest(organization=named), ada.metadata),
        (organizations.UpdateOrganizationRequest(organization=private), AS_OPERATOR),
        (members.UpdateOrganizationMemberRequest(**in_acme, user_id=bo.user_id, role=guest), ada.metadata),
    ]
    for request, metadata in changes:
        await call(channel, request, metadata)
    api = (await call(channel, create_project, ada.metadata)).project.project_id
    invited = (await call(channel, invite, ada.metadata)).invitation.invitation_id
    on_api = {"project_id": api, "user_id": bo.user_id}
    changes = [
        (invitations.AcceptInvitationRequest(invitation_id=invited), rae.metadata),
        (projects.UpdateProjectRequest(project=projects.Project(project_id=api, display_name="API")), ada.metadata),
        (project_members.SetProjectRoleRequest(**on_api, role=editor), ada.metadata),
        (project_members.ClearProjectRoleRequest(**on_api), ada.metadata),
        (projects.DeleteProjectRequest(project_id=api), ada.metadata),
        (projects.UndeleteProjectRequest(project_id=api), ada.metadata),
        (members.RemoveOrganizationMemberRequest(**in_acme, user_id=bo.user_id), ada.metadata),
        (members.LeaveOrganizationRequest(**in_acme), rae.metadata),
        (organizations.DeleteOrganizationRequest(**in_acme, force=True), ada.metadata),
        (organizations.UndeleteOrganizationRequest(**in_acme), ada.metadata),
    ]
    for request, metadata in changes:
        await call(channel, request, metadata)

    expected = [
        ("ORGANIZATION_CREATED", None, None), ("MEMBER_ADDED", None, ada),
        ("MEMBER_ADDED", None, bo),
        ("ORGANIZATION_UPDATED", None, None), ("ORGANIZATION_UPDATED", None, None),
        ("MEMBER_UPDATED", None, bo),
        ("PROJECT_CREATED", api, None),
        ("MEMBER_ADDED", None, rae),
        ("PROJECT_UPDATED", api, None),
        ("PROJECT_ROLE_SET", api, bo), ("PROJECT_ROLE_CLEARED", api, bo),
        ("PROJECT_DELETED", api, None), ("PROJECT_UNDELETED", api, None),
        ("MEMBER_REMOVED", None, bo), ("MEMBER_REMOVED", None, rae),
        ("ORGANIZATION_DELETED", None, None), ("ORGANIZATION_UNDELETED", None, None),
    ]  # fmt: skip
    told = await of_organization(following, acme, len(expected))
    assert [
        (pb.EventType.Name(event.type).removeprefix("EVENT_TYPE_"), event.project_id, event.user_id) for event in told
    ] == [(type_, project or "", person.user_id if person else "") for type_, project, person in expected]
    assert len({event.event_id for event in told}) == len(told)
    contents = {"ORGANIZATION": "organization", "MEMBER": "member", "PROJECT": "project", "ROLE": "project_member"}
    for event in told:
        *_, about, what = pb.EventType.Name(event.type).split("_")
        gone = what in ("DELETED", "REMOVED", "CLEARED")
        assert event.WhichOneof("content") == (None if gone else contents[about])
    created, first, _, updated, after_private, demoted, *_ = told
    assert (created.organization.slug, dict(created.organization.public_metadata)) == (create.slug, {"plan": "free"})
    assert (first.member.user_id, first.member.role) == (ada.user_id, OrgRole.ORG_ROLE_OWNER)
    assert updated.organization.display_name == "Acme"
    assert created.organization.etag != updated.organization.etag != after_private.organization.etag
    assert demoted.member.role == OrgRole.ORG_ROLE_GUEST
    role_set = told[9].project_member
    assert (role_set.role, role_set.source) == (editor, RoleSource.ROLE_SOURCE_OVERRIDE)
    assert (role_set.organization_id, role_set.set_by_user_id) == (acme, ada.user_id)
    for event in told:
        written = event.SerializeToString()
        for hidden in (b"secret", rae.email.encode(), invited.encode()):
            assert hidden not in written


async def test_what_was_taken_back_is_not_told(pair: Pair, people: People, following: Any) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    stale = organizations.Organization(organization_id=acme, display_name="New", etag="99")
    async with fails(Reason.ETAG_MISMATCH):
        await call(pair.tenancy.channel, organizations.UpdateOrganizationRequest(organization=stale), ada.metadata)
    remove = members.RemoveOrganizationMemberRequest(organization_id=acme, user_id=bo.user_id, validate_only=True)
    await call(pair.tenancy.channel, remove, ada.metadata)
    remove.validate_only = False
    await call(pair.tenancy.channel, remove, ada.metadata)
    types = [event.type for event in await of_organization(following, acme, 4)]
    assert types[3] == pb.EVENT_TYPE_MEMBER_REMOVED
    assert types[2] == pb.EVENT_TYPE_MEMBER_ADDED
