"""The acts of the demo: each one a call that a product would make."""

import secrets
from dataclasses import dataclass

import grpc

from protos.identity.v1 import sessions_pb2, users_pb2
from protos.tenancy.v1 import (
    access_pb2,
    invitations_pb2,
    organizations_pb2,
    project_members_pb2,
    projects_pb2,
    roles_pb2,
)
from tenantry import client, passwords
from tenantry.client import bearer, service_key


@dataclass(frozen=True, slots=True)
class Signed:
    """A person who is signed in."""

    user_id: str
    email: str
    token: str


@dataclass(frozen=True, slots=True)
class Acts:
    identity: grpc.Channel
    tenancy: grpc.Channel
    operator_key: str
    tag: str  # makes names of this telling its own, so that it can be repeated

    def create_and_sign_in(self, name: str) -> Signed:
        """By the operator: SignUp would wait for its mail."""
        email, password = f"{name}-{self.tag}@example.com", passwords.make_readable()
        new = users_pb2.CreateUserRequest(
            email=email, password=password, display_name=name.title(), email_verified=True
        )
        sign_in = sessions_pb2.CreateSessionRequest(email=email, password=password)
        user = client.call(
            self.identity,
            "identity.v1.UserService/CreateUser",
            new,
            users_pb2.CreateUserResponse,
            service_key(self.operator_key),
        ).user
        token = client.call(
            self.identity,
            "identity.v1.SessionService/CreateSession",
            sign_in,
            sessions_pb2.CreateSessionResponse,
        ).token
        return Signed(user.user_id, email, token)

    def create_organization(self, owner: Signed, slug: str) -> str:
        request = organizations_pb2.CreateOrganizationRequest(slug=f"{slug}-{self.tag}", display_name=slug.title())
        response = client.call(
            self.tenancy,
            "tenancy.v1.OrganizationService/CreateOrganization",
            request,
            organizations_pb2.CreateOrganizationResponse,
            bearer(owner.token),
        )
        return response.organization.organization_id

    def create_project(self, owner: Signed, organization_id: str, slug: str) -> str:
        request = projects_pb2.CreateProjectRequest(
            organization_id=organization_id, slug=slug, display_name=slug.title()
        )
        response = client.call(
            self.tenancy,
            "tenancy.v1.ProjectService/CreateProject",
            request,
            projects_pb2.CreateProjectResponse,
            bearer(owner.token),
        )
        return response.project.project_id

    def invite(self, owner: Signed, organization_id: str, invited: Signed) -> None:
        """They accept with their verified address, without waiting for the mail."""
        invitation = client.call(
            self.tenancy,
            "tenancy.v1.InvitationService/CreateInvitation",
            invitations_pb2.CreateInvitationRequest(
                organization_id=organization_id, email=invited.email, role=roles_pb2.ORG_ROLE_MEMBER
            ),
            invitations_pb2.CreateInvitationResponse,
            bearer(owner.token),
        ).invitation
        client.call(
            self.tenancy,
            "tenancy.v1.InvitationService/AcceptInvitation",
            invitations_pb2.AcceptInvitationRequest(invitation_id=invitation.invitation_id),
            invitations_pb2.AcceptInvitationResponse,
            bearer(invited.token),
        )

    def lock_out_of_project(self, owner: Signed, project_id: str, user_id: str) -> None:
        request = project_members_pb2.SetProjectRoleRequest(
            project_id=project_id, user_id=user_id, role=roles_pb2.PROJECT_ROLE_NONE
        )
        client.call(
            self.tenancy,
            "tenancy.v1.ProjectMemberService/SetProjectRole",
            request,
            project_members_pb2.SetProjectRoleResponse,
            bearer(owner.token),
        )

    def revoke_session(self, person: Signed) -> None:
        client.call(
            self.identity,
            "identity.v1.SessionService/RevokeSession",
            sessions_pb2.RevokeSessionRequest(),
            sessions_pb2.RevokeSessionResponse,
            bearer(person.token),
        )

    def check_access(
        self, person: Signed, permission: str, organization_id: str, project_id: str
    ) -> access_pb2.CheckAccessResponse:
        request = access_pb2.CheckAccessRequest(
            permission=permission, organization_id=organization_id, project_id=project_id
        )
        return client.call(
            self.tenancy,
            "tenancy.v1.AccessService/CheckAccess",
            request,
            access_pb2.CheckAccessResponse,
            bearer(person.token),
        )

    def least_roles(self, person: Signed) -> dict[str, str]:
        """By permission of a project: the least role that holds it."""
        response = client.call(
            self.tenancy,
            "tenancy.v1.AccessService/ListPermissions",
            access_pb2.ListPermissionsRequest(),
            access_pb2.ListPermissionsResponse,
            bearer(person.token),
        )
        return {row.permission: project_role(row.project_role) for row in response.permissions}


def new_tag() -> str:
    return secrets.token_hex(4)


def project_role(role: roles_pb2.ProjectRole.ValueType) -> str:
    return roles_pb2.ProjectRole.Name(role).removeprefix("PROJECT_ROLE_")


def source(of: roles_pb2.RoleSource.ValueType) -> str:
    return roles_pb2.RoleSource.Name(of).removeprefix("ROLE_SOURCE_")
