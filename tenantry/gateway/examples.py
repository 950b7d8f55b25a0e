"""Bodies as the API's description shows them, ready to be sent; where none stands here, an empty one is good."""

from typing import Any

ORGANIZATION_ID = "01936f4e-0000-7000-8000-000000000001"
PROJECT_ID = "01936f4e-0000-7000-8000-000000000002"
USER_ID = "01936f4e-0000-7000-8000-000000000003"
INVITATION_ID = "01936f4e-0000-7000-8000-000000000004"
EMAIL = "ada@example.com"
PASSWORD = "correct horse battery staple"  # noqa: S105  an example
NEW_PASSWORD = "incorrect zebra charger paperclip"  # noqa: S105  an example
QUESTION = {"projectId": PROJECT_ID, "permission": "project:update"}

EXAMPLES: dict[str, dict[str, Any]] = {
    "SessionService_CreateSession": {"email": EMAIL, "password": PASSWORD},
    "SessionService_RefreshSession": {"password": PASSWORD},
    "UserService_SignUp": {"email": EMAIL, "password": PASSWORD, "displayName": "Ada"},
    "UserService_StartEmailVerification": {"email": EMAIL},
    "UserService_FinishEmailVerification": {"token": "from the mail"},
    "UserService_StartPasswordReset": {"email": EMAIL},
    "UserService_FinishPasswordReset": {"token": "from the mail", "newPassword": NEW_PASSWORD},
    "UserService_ChangePassword": {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD},
    "UserService_ChangeEmail": {"newEmail": "ada@example.org"},
    "UserService_UpdateUser": {"displayName": "Ada"},
    "UserService_UpdateUser_2": {"displayName": "Ada"},
    "FactorService_ConfirmTotp": {"code": "123456"},
    "OrganizationService_CreateOrganization": {"slug": "acme", "displayName": "Acme"},
    "OrganizationService_UpdateOrganization": {"displayName": "Acme"},
    "OrganizationService_TransferOwnership": {"userId": USER_ID},
    "OrganizationMemberService_UpdateOrganizationMember": {"role": "ORG_ROLE_ADMIN"},
    "ProjectService_CreateProject": {"slug": "api", "displayName": "API"},
    "ProjectService_UpdateProject": {"displayName": "API"},
    "ProjectMemberService_SetProjectRole": {"role": "PROJECT_ROLE_EDITOR"},
    "InvitationService_CreateInvitation": {
        "email": "bo@example.com",
        "role": "ORG_ROLE_MEMBER",
        "projectRoles": [{"projectId": PROJECT_ID, "role": "PROJECT_ROLE_EDITOR"}],
    },
    "InvitationService_AcceptInvitation": {"invitationId": INVITATION_ID},
    "InvitationService_DeclineInvitation": {"invitationId": INVITATION_ID},
    "AccessService_CheckAccess": QUESTION,
    "AccessService_BatchCheckAccess": {
        "requests": [QUESTION, {"organizationId": ORGANIZATION_ID, "permission": "members:read"}]
    },
    "AccessService_ExplainAccess": QUESTION,
}
