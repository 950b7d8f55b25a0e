"""The story that the Bruno collection tells when it is run: who does what, and what is looked at in each answer."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """`keeps`: a variable and where it stands in the answer; `expects`: Bruno's assertions on it."""

    body: dict[str, Any] = field(default_factory=dict)
    keeps: dict[str, str] = field(default_factory=dict)
    expects: tuple[str, ...] = ()
    status: int = 200


# By folder; both in the order in which they run.
ORDER = {
    "Sessions": [
        "SessionService_CreateSession",
        "SessionService_RefreshSession",
        "SessionService_GetSession",
        "SessionService_GetSession_2",
        "SessionService_ListSessions",
        "SessionService_RevokeOtherSessions",
        "SessionService_RevokeSession",
    ],
    "Users": [
        "UserService_SignUp",
        "UserService_StartEmailVerification",
        "UserService_FinishEmailVerification",
        "UserService_StartPasswordReset",
        "UserService_FinishPasswordReset",
        "UserService_GetUser_2",
        "UserService_GetUser",
        "UserService_UpdateUser_2",
        "UserService_UpdateUser",
        "UserService_ChangeEmail",
        "UserService_ChangePassword",
        "UserService_DeleteUser_2",
        "UserService_DeleteUser",
    ],
    "Second factor": [
        "FactorService_EnrollTotp",
        "FactorService_ConfirmTotp",
        "FactorService_RegenerateRecoveryCodes",
        "FactorService_RemoveTotp",
    ],
    "Organizations": [
        "OrganizationService_CreateOrganization",
        "OrganizationService_GetOrganization",
        "OrganizationService_GetOrganization_2",
        "OrganizationService_UpdateOrganization",
        "OrganizationService_ListOrganizations",
        "OrganizationService_DeleteOrganization",
        "OrganizationService_UndeleteOrganization",
        "OrganizationService_TransferOwnership",
    ],
    "Projects": [
        "ProjectService_CreateProject",
        "ProjectService_GetProject",
        "ProjectService_GetProject_2",
        "ProjectService_UpdateProject",
        "ProjectService_ListProjects",
        "ProjectService_DeleteProject",
        "ProjectService_UndeleteProject",
    ],
    "Members": [
        "OrganizationMemberService_GetOrganizationMember",
        "OrganizationMemberService_ListOrganizationMembers",
        "OrganizationMemberService_UpdateOrganizationMember",
        "OrganizationMemberService_RemoveOrganizationMember",
        "OrganizationMemberService_LeaveOrganization",
        "ProjectMemberService_GetProjectMember",
        "ProjectMemberService_ListProjectMembers",
        "ProjectMemberService_SetProjectRole",
        "ProjectMemberService_ClearProjectRole",
    ],
    "Invitations": [
        "InvitationService_CreateInvitation",
        "InvitationService_GetInvitation",
        "InvitationService_ListInvitations",
        "InvitationService_ListMyInvitations",
        "InvitationService_ResendInvitation",
        "InvitationService_RevokeInvitation",
        "InvitationService_AcceptInvitation",
        "InvitationService_DeclineInvitation",
    ],
    "Access": [
        "AccessService_CheckAccess",
        "AccessService_BatchCheckAccess",
        "AccessService_ExplainAccess",
        "AccessService_ListAccessibleProjects",
        "AccessService_ListPermissions",
    ],
    "Audit": ["identity_AuditService_ListAuditEvents", "tenancy_AuditService_ListAuditEvents"],
}

QUESTION = {"projectId": "{{project_id}}", "permission": "project:update"}
STORY = {
    "SessionService_CreateSession": Step(
        {"email": "{{email}}", "password": "{{password}}", "deviceName": "Bruno"},
        {"token": "token", "first_session_id": "session.sessionId", "user_id": "session.userId"},
        ("token: isString",),
    ),
    "SessionService_RefreshSession": Step(
        {"password": "{{password}}"}, {"token": "token", "session_id": "session.sessionId"}, ("token: isString",)
    ),
    "SessionService_GetSession": Step(expects=("session.userId: eq {{user_id}}",)),
    "SessionService_GetSession_2": Step(expects=("session.sessionId: eq {{session_id}}",)),
    "SessionService_ListSessions": Step(expects=("sessions[0].sessionId: eq {{session_id}}",)),
    "SessionService_RevokeOtherSessions": Step(),
    # Dead already: the refresh put another in its place. Ending it again is no error.
    "SessionService_RevokeSession": Step({"sessionId": "{{first_session_id}}"}),
    "UserService_SignUp": Step({"email": "bo-{{$guid}}@example.com", "password": "{{password}}", "displayName": "Bo"}),
    "UserService_StartEmailVerification": Step({"email": "nobody-{{$guid}}@example.com"}),
    "UserService_StartPasswordReset": Step({"email": "nobody-{{$guid}}@example.com"}),
    "UserService_GetUser_2": Step(expects=("user.email: eq {{email}}",)),
    "UserService_GetUser": Step(expects=("user.email: eq {{email}}",)),
    "UserService_UpdateUser_2": Step({"displayName": "Ada L."}, expects=("user.displayName: eq Ada L.",)),
    "UserService_UpdateUser": Step({"displayName": "Ada"}, expects=("user.displayName: eq Ada",)),
    "FactorService_EnrollTotp": Step(expects=("otpauthUri: startsWith otpauth://totp/",)),
    "OrganizationService_CreateOrganization": Step(
        {"slug": "acme-{{$timestamp}}", "displayName": "Acme"},
        {"organization_id": "organization.organizationId", "slug": "organization.slug"},
        ("organization.callerRole: eq ORG_ROLE_OWNER",),
    ),
    "OrganizationService_GetOrganization": Step(expects=("organization.slug: eq {{slug}}",)),
    "OrganizationService_GetOrganization_2": Step(expects=("organization.organizationId: eq {{organization_id}}",)),
    "OrganizationService_UpdateOrganization": Step(
        {"displayName": "Acme, Inc."}, expects=("organization.displayName: eq Acme, Inc.",)
    ),
    "OrganizationService_ListOrganizations": Step(expects=("organizations: isArray",)),
    "OrganizationService_DeleteOrganization": Step(expects=("organization.purgeTime: isString",)),
    "OrganizationService_UndeleteOrganization": Step(expects=("organization.purgeTime: isUndefined",)),
    "ProjectService_CreateProject": Step(
        {"slug": "api", "publicMetadata": {"language": "python"}},
        {"project_id": "project.projectId", "slug": "project.slug"},
        ("project.callerRole: eq PROJECT_ROLE_ADMIN",),
    ),
    "ProjectService_GetProject": Step(expects=("project.publicMetadata.language: eq python",)),
    "ProjectService_GetProject_2": Step(expects=("project.projectId: eq {{project_id}}",)),
    "ProjectService_UpdateProject": Step({"displayName": "The API"}, expects=("project.displayName: eq The API",)),
    "ProjectService_ListProjects": Step(expects=("projects: length 1",)),
    "ProjectService_DeleteProject": Step(expects=("project.purgeTime: isString",)),
    "ProjectService_UndeleteProject": Step(expects=("project.purgeTime: isUndefined",)),
    "OrganizationMemberService_GetOrganizationMember": Step(expects=("member.role: eq ORG_ROLE_OWNER",)),
    "OrganizationMemberService_ListOrganizationMembers": Step(expects=("members: length 1",)),
    "ProjectMemberService_GetProjectMember": Step(expects=("member.role: eq PROJECT_ROLE_ADMIN",)),
    "ProjectMemberService_ListProjectMembers": Step(expects=("members: length 1",)),
    "InvitationService_CreateInvitation": Step(
        {
            "email": "cy-{{$guid}}@example.com",
            "role": "ORG_ROLE_MEMBER",
            "projectRoles": [{"projectId": "{{project_id}}", "role": "PROJECT_ROLE_EDITOR"}],
        },
        {"invitation_id": "invitation.invitationId"},
        ("invitation.state: eq INVITATION_STATE_PENDING",),
    ),
    "InvitationService_GetInvitation": Step(expects=("invitation.inviterUserId: eq {{user_id}}",)),
    "InvitationService_ListInvitations": Step(expects=("invitations: length 1",)),
    "InvitationService_ListMyInvitations": Step(),
    # A mail for it has just left.
    "InvitationService_ResendInvitation": Step(expects=("details[0].reason: eq THROTTLED",), status=429),
    "InvitationService_RevokeInvitation": Step(expects=("invitation.state: eq INVITATION_STATE_REVOKED",)),
    "AccessService_CheckAccess": Step(QUESTION, expects=("allowed: eq true", "projectRole: eq PROJECT_ROLE_ADMIN")),
    "AccessService_BatchCheckAccess": Step(
        {"requests": [QUESTION, {"organizationId": "{{organization_id}}", "permission": "organization:delete"}]},
        expects=("results[0].answer.allowed: eq true", "results[1].answer.allowed: eq true"),
    ),
    "AccessService_ExplainAccess": Step(QUESTION, expects=("explanation: contains OWNER",)),
    "AccessService_ListAccessibleProjects": Step(expects=("projects[0].projectId: eq {{project_id}}",)),
    "AccessService_ListPermissions": Step(expects=("permissions: isArray",)),
    "identity_AuditService_ListAuditEvents": Step(expects=("auditEvents: isArray",)),
    "tenancy_AuditService_ListAuditEvents": Step(expects=("auditEvents: isArray",)),
}
