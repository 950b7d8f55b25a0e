"""One call of every RPC that changes something and takes a `request_id`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message

from protos.tenancy.v1 import invitations_pb2 as invitations
from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import organizations_pb2 as organizations
from protos.tenancy.v1 import project_members_pb2 as project_members
from protos.tenancy.v1 import projects_pb2 as projects
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People, TestPerson
from tests.tenancy.races import execute
from tests.tenancy.rpcs import call

MEMBER, GUEST = OrgRole.ORG_ROLE_MEMBER, OrgRole.ORG_ROLE_GUEST
EDITOR, VIEWER = ProjectRole.PROJECT_ROLE_EDITOR, ProjectRole.PROJECT_ROLE_VIEWER


class Place:
    """An organization with a project, and one who has no part in it yet."""

    def __init__(self, pair: Pair, people: People) -> None:
        self.pair, self.people = pair, people

    async def furnished(self) -> "Place":
        self.owner, self.bo, self.rae = await self.people.persons(3)
        self.acme = await self.people.organization(self.owner, MEMBER=self.bo)
        self.api = await self.people.project(self.acme, self.owner)
        return self

    async def done(self, request: Message, by: TestPerson) -> Any:
        return await call(self.pair.tenancy.channel, request, by.metadata)

    async def invitation(self) -> str:
        request = invitations.CreateInvitationRequest(organization_id=self.acme, email=self.rae.email, role=MEMBER)
        response = await self.done(request, self.owner)
        return str(response.invitation.invitation_id)


@dataclass(frozen=True)
class Mutation:
    """`another` is the same request but for something; `actions` is all that the audit then has more."""

    request: Any
    by: TestPerson | None  # None: a service
    another: Any
    actions: tuple[str, ...]

    @property
    def metadata(self) -> Metadata:
        return self.by.metadata if self.by else AS_OPERATOR

    @property
    def caller(self) -> str:
        """As the results of requests are kept."""
        return self.by.user_id if self.by else "operator"


Row = Callable[[Place], Awaitable[Mutation]]


def changed(request: Any, **fields: object) -> Any:
    other = type(request)()
    other.CopyFrom(request)
    other.MergeFrom(type(request)(**fields))
    return other


async def create_organization(place: Place) -> Mutation:
    request = organizations.CreateOrganizationRequest(slug=place.people.slug())
    another = changed(request, slug=place.people.slug())
    return Mutation(request, place.owner, another, ("ORGANIZATION_CREATED", "MEMBER_ADDED"))


async def update_organization(place: Place) -> Mutation:
    here = organizations.Organization(organization_id=place.acme, display_name="New name")
    request = organizations.UpdateOrganizationRequest(organization=here)
    another = changed(request, organization=organizations.Organization(display_name="Other"))
    return Mutation(request, place.owner, another, ("ORGANIZATION_UPDATED",))


async def delete_organization(place: Place) -> Mutation:
    request = organizations.DeleteOrganizationRequest(organization_id=place.acme, force=True)
    return Mutation(request, place.owner, changed(request, etag="1"), ("ORGANIZATION_DELETED",))


async def undelete_organization(place: Place) -> Mutation:
    await place.done(organizations.DeleteOrganizationRequest(organization_id=place.acme, force=True), place.owner)
    request = organizations.UndeleteOrganizationRequest(organization_id=place.acme)
    another = changed(request, organization_id=str(uuid4()))
    return Mutation(request, place.owner, another, ("ORGANIZATION_UNDELETED",))


async def transfer_ownership(place: Place) -> Mutation:
    request = organizations.TransferOwnershipRequest(organization_id=place.acme, user_id=place.bo.user_id)
    actions = ("MEMBER_UPDATED", "MEMBER_UPDATED", "OWNERSHIP_TRANSFERRED")
    return Mutation(request, place.owner, changed(request, user_id=place.rae.user_id), actions)


async def restore_owner(place: Place) -> Mutation:
    query = "DELETE FROM organization_members WHERE organization_id = %s AND role = 'OWNER'"
    await execute(place.pair, query, (place.acme,))
    request = organizations.RestoreOwnerRequest(
        organization_id=place.acme, user_id=place.rae.user_id, reason="The owner is gone"
    )
    another = changed(request, reason="Another reason")
    return Mutation(request, None, another, ("MEMBER_ADDED", "OWNER_RESTORED"))


async def add_member(place: Place) -> Mutation:
    request = members.AddOrganizationMemberRequest(organization_id=place.acme, user_id=place.rae.user_id, role=MEMBER)
    return Mutation(request, None, changed(request, role=GUEST), ("MEMBER_ADDED",))


async def update_member(place: Place) -> Mutation:
    request = members.UpdateOrganizationMemberRequest(organization_id=place.acme, user_id=place.bo.user_id, role=GUEST)
    return Mutation(request, place.owner, changed(request, role=MEMBER), ("MEMBER_UPDATED",))


async def remove_member(place: Place) -> Mutation:
    request = members.RemoveOrganizationMemberRequest(organization_id=place.acme, user_id=place.bo.user_id)
    return Mutation(request, place.owner, changed(request, etag="1"), ("MEMBER_REMOVED",))


async def leave(place: Place) -> Mutation:
    request = members.LeaveOrganizationRequest(organization_id=place.acme)
    return Mutation(request, place.bo, changed(request, organization_id=str(uuid4())), ("MEMBER_LEFT",))


async def create_invitation(place: Place) -> Mutation:
    request = invitations.CreateInvitationRequest(organization_id=place.acme, email=place.rae.email, role=MEMBER)
    return Mutation(request, place.owner, changed(request, role=GUEST), ("INVITATION_CREATED",))


async def accept_invitation(place: Place) -> Mutation:
    request = invitations.AcceptInvitationRequest(invitation_id=await place.invitation())
    another = changed(request, invitation_id=str(uuid4()))
    return Mutation(request, place.rae, another, ("INVITATION_ACCEPTED", "MEMBER_ADDED"))


async def decline_invitation(place: Place) -> Mutation:
    request = invitations.DeclineInvitationRequest(invitation_id=await place.invitation())
    another = changed(request, invitation_id=str(uuid4()))
    return Mutation(request, place.rae, another, ("INVITATION_DECLINED",))


async def revoke_invitation(place: Place) -> Mutation:
    request = invitations.RevokeInvitationRequest(invitation_id=await place.invitation())
    return Mutation(request, place.owner, changed(request, etag="1"), ("INVITATION_REVOKED",))


async def resend_invitation(place: Place) -> Mutation:
    request = invitations.ResendInvitationRequest(invitation_id=await place.invitation())
    # Not so soon after the mail before.
    a_while_ago = "UPDATE invitations SET update_time = now() - interval '1 hour' WHERE invitation_id = %s"
    await execute(place.pair, a_while_ago, (request.invitation_id,))
    another = changed(request, invitation_id=str(uuid4()))
    return Mutation(request, place.owner, another, ("INVITATION_RESENT",))


async def create_project(place: Place) -> Mutation:
    request = projects.CreateProjectRequest(organization_id=place.acme, slug=place.people.slug())
    another = changed(request, slug=place.people.slug())
    return Mutation(request, place.owner, another, ("PROJECT_CREATED",))


async def update_project(place: Place) -> Mutation:
    request = projects.UpdateProjectRequest(project=projects.Project(project_id=place.api, display_name="New name"))
    another = changed(request, project=projects.Project(display_name="Other"))
    return Mutation(request, place.owner, another, ("PROJECT_UPDATED",))


async def delete_project(place: Place) -> Mutation:
    request = projects.DeleteProjectRequest(project_id=place.api)
    return Mutation(request, place.owner, changed(request, etag="1"), ("PROJECT_DELETED",))


async def undelete_project(place: Place) -> Mutation:
    await place.done(projects.DeleteProjectRequest(project_id=place.api), place.owner)
    request = projects.UndeleteProjectRequest(project_id=place.api)
    another = changed(request, project_id=str(uuid4()))
    return Mutation(request, place.owner, another, ("PROJECT_UNDELETED",))


async def set_role(place: Place) -> Mutation:
    request = project_members.SetProjectRoleRequest(project_id=place.api, user_id=place.bo.user_id, role=EDITOR)
    return Mutation(request, place.owner, changed(request, role=VIEWER), ("PROJECT_ROLE_SET",))


async def clear_role(place: Place) -> Mutation:
    await place.people.set_role(place.api, place.bo, "EDITOR", place.owner)
    request = project_members.ClearProjectRoleRequest(project_id=place.api, user_id=place.bo.user_id)
    another = changed(request, user_id=place.rae.user_id)
    return Mutation(request, place.owner, another, ("PROJECT_ROLE_CLEARED",))


ROWS: dict[str, Row] = {
    "CreateOrganization": create_organization,
    "UpdateOrganization": update_organization,
    "DeleteOrganization": delete_organization,
    "UndeleteOrganization": undelete_organization,
    "TransferOwnership": transfer_ownership,
    "RestoreOwner": restore_owner,
    "AddOrganizationMember": add_member,
    "UpdateOrganizationMember": update_member,
    "RemoveOrganizationMember": remove_member,
    "LeaveOrganization": leave,
    "CreateInvitation": create_invitation,
    "AcceptInvitation": accept_invitation,
    "DeclineInvitation": decline_invitation,
    "RevokeInvitation": revoke_invitation,
    "ResendInvitation": resend_invitation,
    "CreateProject": create_project,
    "UpdateProject": update_project,
    "DeleteProject": delete_project,
    "UndeleteProject": undelete_project,
    "SetProjectRole": set_role,
    "ClearProjectRole": clear_role,
}
