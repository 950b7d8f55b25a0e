"""Members, their roles on projects and invitations as the command line shows them."""

from protos.tenancy.v1.invitations_pb2 import Invitation
from protos.tenancy.v1.organization_members_pb2 import OrganizationMember
from protos.tenancy.v1.project_members_pb2 import ProjectMember
from tenantry.shown_messages import time, word

MEMBER_COLUMNS = ("email", "user_id", "display_name", "role", "until", "since")
ROLE_COLUMNS = ("email", "user_id", "role", "source", "in_organization", "until", "set")
INVITATION_COLUMNS = ("email", "invitation_id", "role", "state", "project_roles", "created", "expires")


def member_row(member: OrganizationMember) -> tuple[str, ...]:
    """In the order of MEMBER_COLUMNS."""
    return (
        member.email,
        member.user_id,
        member.display_name,
        word(member, "role"),
        time(member.expire_time),
        time(member.create_time),
    )


def role_row(member: ProjectMember) -> tuple[str, ...]:
    """In the order of ROLE_COLUMNS."""
    return (
        member.email,
        member.user_id,
        word(member, "role"),
        word(member, "source"),
        word(member, "organization_role"),
        time(member.expire_time),
        time(member.update_time),
    )


def invitation_row(invitation: Invitation) -> tuple[str, ...]:
    """In the order of INVITATION_COLUMNS."""
    return (
        invitation.email,
        invitation.invitation_id,
        word(invitation, "role"),
        word(invitation, "state"),
        str(len(invitation.project_roles) or ""),
        time(invitation.create_time),
        time(invitation.expire_time),
    )
