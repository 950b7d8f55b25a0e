"""Members, their roles on projects and invitations as the command line shows them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager

import click

from protos.identity.v1.users_pb2 import User
from protos.tenancy.v1.invitations_pb2 import Invitation
from protos.tenancy.v1.organization_members_pb2 import OrganizationMember
from protos.tenancy.v1.project_members_pb2 import ProjectMember
from protos.tenancy.v1.projects_pb2 import Project
from tenantry import client, output, shown_messages
from tenantry.failures import command
from tenantry.shown_messages import time, word

MEMBERS = "tenancy.v1.OrganizationMemberService"
ROLES = "tenancy.v1.ProjectMemberService"
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


def invitation_row(projects: Mapping[str, Project], invitation: Invitation) -> tuple[str, ...]:
    """In the order of INVITATION_COLUMNS; `projects` are the organization's, by id."""
    on = ((projects.get(role.project_id), word(role, "role")) for role in invitation.project_roles)
    return (
        invitation.email,
        invitation.invitation_id,
        word(invitation, "role"),
        word(invitation, "state"),
        ", ".join(f"{project.slug if project else 'gone'}={role}" for project, role in on),
        time(invitation.create_time),
        time(invitation.expire_time),
    )


def print_member(member: OrganizationMember, user: User, organization: str, as_json: bool) -> None:
    """After a change, whose answer has no names and addresses."""
    if as_json:
        member.email, member.display_name = user.email, user.display_name
        output.print_json(shown_messages.as_json(member))
    else:
        click.echo("   ".join([user.email, f"{word(member, 'role')} of {organization}", *until(member)]))


def print_role(member: ProjectMember, user: User, project: str, as_json: bool) -> None:
    if as_json:
        member.email, member.display_name = user.email, user.display_name
        output.print_json(shown_messages.as_json(member))
    else:
        role = f"{word(member, 'role')} on {project}"
        click.echo("   ".join([user.email, role, word(member, "source"), *until(member)]))


def until(member: OrganizationMember | ProjectMember) -> list[str]:
    return [f"until {time(member.expire_time)}"] if member.HasField("expire_time") else []


def advised(organization: str, email: str) -> AbstractContextManager[None]:
    """What to do next where a change of a member is refused."""
    add = command("members", "add", organization, email, "--role", "MEMBER")
    another = f"{command('members', 'update', organization)} EMAIL --role OWNER"
    lower = command("members", "update", organization, email, "--role", "ADMIN")
    return client.advised(
        MEMBER_NOT_FOUND=f"add them:  {add}",
        LAST_OWNER=f"make somebody else one first:  {another}",
        OWNER_NOT_OVERRIDABLE=f"first:  {lower}",
    )
