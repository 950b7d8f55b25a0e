"""Every RPC of tenancy.v1 for every kind of caller: who gets in. The set of RPCs comes from the descriptors."""

from uuid import uuid4

import psycopg
import pytest
from google.protobuf.struct_pb2 import Struct

from protos.extauthz.v1 import external_auth_pb2 as external_auth
from protos.tenancy.v1 import access_pb2 as access
from protos.tenancy.v1 import audit_events_pb2 as audit_events
from protos.tenancy.v1 import events_pb2 as events
from protos.tenancy.v1 import invitations_pb2 as invitations
from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import organizations_pb2 as organizations
from protos.tenancy.v1 import project_members_pb2 as project_members
from protos.tenancy.v1 import projects_pb2 as projects
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole
from tenancy_service.access_policy import POLICY
from tenancy_service.server import RPCS
from tenantry.testing.pair import Pair
from tenantry.testing.people import Metadata, People
from tests.matrix import NOBODY, WRONG_KEYS, Row, check_row, nobodies, with_key
from tests.tenancy.inviting import Inviting, an_address

OUTSIDER, GUEST, SERVICE = {"outsider"}, {"guest"}, {"service"}
# Members of the organization: by their role there, or MEMBERs with another role on the project.
MEMBERS = {"member", "admin", "owner", "locked out of project", "project editor", "project admin"}
ADMINS = {"admin", "owner", "service for owner", "service for admin"}
OWNERS_SERVICE = {"service for owner", "service for admin", "service for outsider"}
SIGNED_IN = OUTSIDER | GUEST | MEMBERS | OWNERS_SERVICE | {"lowered admin"}
ON_PROJECT = {"member", "admin", "owner", "project editor", "project admin", "lowered admin"}
OF_PROJECT = {"admin", "owner", "project admin"}
SERVICES = SERVICE | {"service for owner", "service for admin"}
OWNERS = {"owner", "service for owner"}
INSIDERS = GUEST | MEMBERS | {"lowered admin", "service for owner", "service for admin"}

GETS_IN = {
    "tenancy.v1.OrganizationService/CreateOrganization": SIGNED_IN | SERVICE,
    "tenancy.v1.OrganizationService/GetOrganization": INSIDERS | SERVICE,
    "tenancy.v1.OrganizationService/ListOrganizations": SIGNED_IN | SERVICE,
    "tenancy.v1.OrganizationService/UpdateOrganization": ADMINS | {"lowered admin"} | SERVICE,
    "tenancy.v1.OrganizationService/DeleteOrganization": OWNERS | SERVICE,
    "tenancy.v1.OrganizationService/UndeleteOrganization": OWNERS | SERVICE,
    "tenancy.v1.OrganizationService/TransferOwnership": OWNERS,
    "tenancy.v1.OrganizationService/RestoreOwner": SERVICE,
    "tenancy.v1.OrganizationMemberService/AddOrganizationMember": SERVICES,
    "tenancy.v1.OrganizationMemberService/GetOrganizationMember": (INSIDERS - GUEST) | SERVICE,
    "tenancy.v1.OrganizationMemberService/ListOrganizationMembers": (INSIDERS - GUEST) | SERVICE,
    "tenancy.v1.OrganizationMemberService/UpdateOrganizationMember": ADMINS | {"lowered admin"} | SERVICE,
    "tenancy.v1.OrganizationMemberService/RemoveOrganizationMember": ADMINS | {"lowered admin"} | SERVICE,
    "tenancy.v1.OrganizationMemberService/LeaveOrganization": INSIDERS,
    "tenancy.v1.InvitationService/CreateInvitation": ADMINS | {"lowered admin"} | SERVICE,
    "tenancy.v1.InvitationService/GetInvitation": ADMINS | {"lowered admin"} | SERVICE,
    "tenancy.v1.InvitationService/ListInvitations": ADMINS | {"lowered admin"} | SERVICE,
    "tenancy.v1.InvitationService/ListMyInvitations": SIGNED_IN,
    # Who is not its recipient learns that there is no such invitation.
    "tenancy.v1.InvitationService/AcceptInvitation": SIGNED_IN,
    "tenancy.v1.InvitationService/DeclineInvitation": SIGNED_IN,
    "tenancy.v1.InvitationService/RevokeInvitation": ADMINS | {"lowered admin"} | SERVICE,
    "tenancy.v1.InvitationService/ResendInvitation": ADMINS | {"lowered admin"} | SERVICE,
    "tenancy.v1.ProjectService/CreateProject": ADMINS | {"lowered admin"} | SERVICE,
    "tenancy.v1.ProjectService/GetProject": ON_PROJECT | SERVICE | {"service for owner", "service for admin"},
    "tenancy.v1.ProjectService/ListProjects": INSIDERS | SERVICE,
    "tenancy.v1.ProjectService/UpdateProject": OF_PROJECT | SERVICES,
    "tenancy.v1.ProjectService/DeleteProject": OF_PROJECT | SERVICES,
    "tenancy.v1.ProjectService/UndeleteProject": OF_PROJECT | SERVICES,
    "tenancy.v1.ProjectMemberService/GetProjectMember": ON_PROJECT | SERVICES,
    "tenancy.v1.ProjectMemberService/ListProjectMembers": ON_PROJECT | SERVICES,
    "tenancy.v1.ProjectMemberService/SetProjectRole": OF_PROJECT | SERVICES,
    "tenancy.v1.ProjectMemberService/ClearProjectRole": OF_PROJECT | SERVICES,
    # "No" is an answer, so every session gets one; a service names a session in the request.
    "tenancy.v1.AccessService/CheckAccess": SIGNED_IN,
    "tenancy.v1.AccessService/BatchCheckAccess": SIGNED_IN,
    "tenancy.v1.AccessService/ExplainAccess": SIGNED_IN,
    "tenancy.v1.AccessService/ListAccessibleProjects": SIGNED_IN | SERVICE,
    "tenancy.v1.AccessService/ListPermissions": SIGNED_IN | SERVICE,
    "tenancy.v1.EventService/StreamEvents": OWNERS_SERVICE | SERVICE,
    "tenancy.v1.AuditService/ListAuditEvents": ADMINS | SERVICE | {"lowered admin"},
    # Its answer is about the request that is asked about: see test_edge_authorization.py.
    "envoy.service.auth.v3.Authorization/Check": {*NOBODY, *WRONG_KEYS} | SERVICE | SIGNED_IN,
}

TENANT = """SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM (
    SELECT o::text AS t FROM organizations o WHERE organization_id = %(id)s
    UNION ALL SELECT m::text FROM organization_members m WHERE organization_id = %(id)s
    UNION ALL SELECT (to_jsonb(i) - 'secret_hash')::text FROM invitations i WHERE organization_id = %(id)s
    UNION ALL SELECT p::text FROM projects p WHERE organization_id = %(id)s
    UNION ALL SELECT pm::text FROM project_members pm WHERE organization_id = %(id)s) rows"""


def test_every_rpc_has_a_row() -> None:
    assert GETS_IN.keys() == set(RPCS)


@pytest.fixture(scope="module")
async def world(pair: Pair, people: People) -> tuple[dict[str, Metadata], dict[str, tuple[object, type]], str]:
    """The callers, a request and its response type for every RPC, and the organization it is all about."""
    owner, admin, lowered, member, guest, locked, editor, project_admin, outsider = await people.persons(9)
    acme = await people.organization(
        owner, ADMIN=[admin, lowered], MEMBER=[member, locked, editor, project_admin], GUEST=guest
    )
    api = await people.project(acme, owner, NONE=locked, EDITOR=editor, ADMIN=project_admin, VIEWER=lowered)
    callers = await nobodies(pair, people) | {
        "outsider": outsider.metadata,
        "guest": guest.metadata,
        "member": member.metadata,
        "admin": admin.metadata,
        "lowered admin": lowered.metadata,
        "owner": owner.metadata,
        "locked out of project": locked.metadata,
        "project editor": editor.metadata,
        "project admin": project_admin.metadata,
        "service for owner": with_key(owner),
        "service for admin": with_key(admin),
        "service for outsider": with_key(outsider),
    }
    pending, ended = [await Inviting(pair).invite(owner, acme, an_address()) for _ in range(2)]
    await Inviting(pair).revoke(owner, ended.invitation_id)
    slug = await taken_slugs(pair, acme)
    nobody, check = str(uuid4()), access.CheckAccessRequest(project_id=api, permission="project:read")
    member_role, viewer = OrgRole.ORG_ROLE_MEMBER, ProjectRole.PROJECT_ROLE_VIEWER
    requests: dict[str, tuple[object, type]] = {
        "CreateOrganization": (
            organizations.CreateOrganizationRequest(slug=slug[0]),
            organizations.CreateOrganizationResponse,
        ),
        "GetOrganization": (
            organizations.GetOrganizationRequest(organization_id=acme),
            organizations.GetOrganizationResponse,
        ),
        "ListOrganizations": (
            organizations.ListOrganizationsRequest(page_size=1),
            organizations.ListOrganizationsResponse,
        ),
        "UpdateOrganization": (
            organizations.UpdateOrganizationRequest(
                organization=organizations.Organization(organization_id=acme, etag="stale", public_metadata=Struct())
            ),
            organizations.UpdateOrganizationResponse,
        ),
        "DeleteOrganization": (
            organizations.DeleteOrganizationRequest(organization_id=acme, etag="stale"),
            organizations.DeleteOrganizationResponse,
        ),
        "UndeleteOrganization": (
            organizations.UndeleteOrganizationRequest(organization_id=acme),
            organizations.UndeleteOrganizationResponse,
        ),
        "TransferOwnership": (
            organizations.TransferOwnershipRequest(organization_id=acme, user_id=nobody),
            organizations.TransferOwnershipResponse,
        ),
        "RestoreOwner": (
            organizations.RestoreOwnerRequest(organization_id=acme, user_id=member.user_id, reason="Ada has left"),
            organizations.RestoreOwnerResponse,
        ),
        "AddOrganizationMember": (
            members.AddOrganizationMemberRequest(organization_id=acme, user_id=member.user_id, role=member_role),
            members.AddOrganizationMemberResponse,
        ),
        "GetOrganizationMember": (
            members.GetOrganizationMemberRequest(organization_id=acme, user_id=nobody),
            members.GetOrganizationMemberResponse,
        ),
        "ListOrganizationMembers": (
            members.ListOrganizationMembersRequest(organization_id=acme),
            members.ListOrganizationMembersResponse,
        ),
        "UpdateOrganizationMember": (
            members.UpdateOrganizationMemberRequest(organization_id=acme, user_id=nobody, role=member_role),
            members.UpdateOrganizationMemberResponse,
        ),
        "RemoveOrganizationMember": (
            members.RemoveOrganizationMemberRequest(organization_id=acme, user_id=nobody),
            members.RemoveOrganizationMemberResponse,
        ),
        "LeaveOrganization": (
            members.LeaveOrganizationRequest(organization_id=acme, validate_only=True),
            members.LeaveOrganizationResponse,
        ),
        "CreateInvitation": (
            invitations.CreateInvitationRequest(organization_id=acme, email=pending.email, role=member_role),
            invitations.CreateInvitationResponse,
        ),
        "GetInvitation": (
            invitations.GetInvitationRequest(invitation_id=pending.invitation_id),
            invitations.GetInvitationResponse,
        ),
        "ListInvitations": (
            invitations.ListInvitationsRequest(organization_id=acme),
            invitations.ListInvitationsResponse,
        ),
        "ListMyInvitations": (invitations.ListMyInvitationsRequest(), invitations.ListMyInvitationsResponse),
        "AcceptInvitation": (
            invitations.AcceptInvitationRequest(invitation_id=pending.invitation_id),
            invitations.AcceptInvitationResponse,
        ),
        "DeclineInvitation": (
            invitations.DeclineInvitationRequest(invitation_id=pending.invitation_id),
            invitations.DeclineInvitationResponse,
        ),
        "RevokeInvitation": (
            invitations.RevokeInvitationRequest(invitation_id=pending.invitation_id, etag="stale"),
            invitations.RevokeInvitationResponse,
        ),
        "ResendInvitation": (
            invitations.ResendInvitationRequest(invitation_id=ended.invitation_id),
            invitations.ResendInvitationResponse,
        ),
        "CreateProject": (
            projects.CreateProjectRequest(organization_id=acme, slug=slug[1]),
            projects.CreateProjectResponse,
        ),
        "GetProject": (projects.GetProjectRequest(project_id=api), projects.GetProjectResponse),
        "ListProjects": (projects.ListProjectsRequest(organization_id=acme), projects.ListProjectsResponse),
        "UpdateProject": (
            projects.UpdateProjectRequest(
                project=projects.Project(project_id=api, etag="stale", public_metadata=Struct())
            ),
            projects.UpdateProjectResponse,
        ),
        "DeleteProject": (
            projects.DeleteProjectRequest(project_id=api, etag="stale"),
            projects.DeleteProjectResponse,
        ),
        "UndeleteProject": (projects.UndeleteProjectRequest(project_id=api), projects.UndeleteProjectResponse),
        "GetProjectMember": (
            project_members.GetProjectMemberRequest(project_id=api, user_id=nobody),
            project_members.GetProjectMemberResponse,
        ),
        "ListProjectMembers": (
            project_members.ListProjectMembersRequest(project_id=api),
            project_members.ListProjectMembersResponse,
        ),
        "SetProjectRole": (
            project_members.SetProjectRoleRequest(project_id=api, user_id=nobody, role=viewer),
            project_members.SetProjectRoleResponse,
        ),
        "ClearProjectRole": (
            project_members.ClearProjectRoleRequest(project_id=api, user_id=nobody),
            project_members.ClearProjectRoleResponse,
        ),
        "CheckAccess": (check, access.CheckAccessResponse),
        "BatchCheckAccess": (access.BatchCheckAccessRequest(requests=[check]), access.BatchCheckAccessResponse),
        "ExplainAccess": (
            access.ExplainAccessRequest(project_id=api, permission="project:read"),
            access.ExplainAccessResponse,
        ),
        "ListAccessibleProjects": (
            access.ListAccessibleProjectsRequest(organization_id=acme),
            access.ListAccessibleProjectsResponse,
        ),
        "ListPermissions": (access.ListPermissionsRequest(), access.ListPermissionsResponse),
        "StreamEvents": (events.StreamEventsRequest(), events.StreamEventsResponse),
        "ListAuditEvents": (
            audit_events.ListAuditEventsRequest(organization_id=acme),
            audit_events.ListAuditEventsResponse,
        ),
        "Check": (external_auth.CheckRequest(), external_auth.CheckResponse),
    }
    return callers, requests, acme


async def taken_slugs(pair: Pair, organization_id: str) -> tuple[str, str]:
    """The organization's and its project's: creating them again is let in or not, and changes nothing."""
    query = (
        "SELECT o.slug, p.slug FROM organizations o JOIN projects p USING (organization_id) WHERE organization_id = %s"
    )
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        row = await (await connection.execute(query, (organization_id,))).fetchone()
    assert row is not None
    return row[0], row[1]


async def rows_of(pair: Pair, organization_id: str) -> object:
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        return await (await connection.execute(TENANT, {"id": organization_id})).fetchone()


@pytest.mark.parametrize("rpc", RPCS)
async def test_who_gets_in(
    pair: Pair, rpc: str, world: tuple[dict[str, Metadata], dict[str, tuple[object, type]], str]
) -> None:
    callers, requests, acme = world
    request, response = requests[rpc.partition("/")[2]]
    before = await rows_of(pair, acme)
    streams = rpc.endswith("/StreamEvents")
    row = Row(frozenset(GETS_IN[rpc]), request, response, streams)  # type: ignore[arg-type]
    await check_row(pair.tenancy.channel, rpc, row, POLICY[rpc], callers)
    assert await rows_of(pair, acme) == before
