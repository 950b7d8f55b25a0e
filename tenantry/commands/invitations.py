"""`tenantry invitations`: how people join an organization."""

from functools import partial
from typing import TYPE_CHECKING

import click

from tenantry.commands.options import ORG_ROLE, PROJECT_ROLE, as_lines, as_object, limit_option
from tenantry.failures import REFUSED, Failure, command, given

if TYPE_CHECKING:
    from protos.tenancy.v1.invitations_pb2 import Invitation
    from protos.tenancy.v1.organizations_pb2 import Organization
    from tenantry.client import Ask

INVITATIONS = "tenancy.v1.InvitationService"


@click.group()
def invitations() -> None:
    """Invitations to an organization. ORGANIZATION is its slug or id, EMAIL the address that was invited."""


class OnProject(click.ParamType[tuple[str, str]]):
    """Such as api=EDITOR."""

    name = "slug=role"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        slug, equals, role = value.partition("=")
        if not (slug and equals):
            self.fail("a project and a role are needed, such as api=EDITOR", param, ctx)
        return slug, PROJECT_ROLE.convert(role, param, ctx)


@invitations.command()
@click.argument("organization")
@click.argument("email")
@click.option("--role", type=ORG_ROLE, required=True)
@click.option("--project", "on", type=OnProject(), multiple=True, help="A role on a project of it, such as api=EDITOR.")
@as_object
def create(organization: str, email: str, role: str, on: tuple[tuple[str, str], ...], as_json: bool) -> None:
    """Invite an address by mail."""
    from protos.tenancy.v1 import invitations_pb2 as pb
    from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole
    from tenantry import client, places

    with client.as_operator("tenancy") as ask:
        found = places.find_organization(ask, organization)
        request = pb.CreateInvitationRequest(
            organization_id=found.organization_id, email=email, role=OrgRole.Value(f"ORG_ROLE_{role}")
        )
        for slug, theirs in on:
            project = places.get_project(ask, slug, within=found)
            request.project_roles.add(project_id=project.project_id, role=ProjectRole.Value(f"PROJECT_ROLE_{theirs}"))
        resend = command("invitations", "resend", found.slug, email)
        update = command("members", "update", found.slug, email, "--role", role)
        with client.advised(
            INVITATION_EXISTS=f"send it again:  {resend}", ALREADY_A_MEMBER=f"change the role:  {update}"
        ):
            made = ask(f"{INVITATIONS}/CreateInvitation", request, pb.CreateInvitationResponse).invitation
    show_changed(made, as_json)


@invitations.command("list")
@click.argument("organization")
@click.option("--filter", "condition", default="", help='Such as: state = PENDING AND email = "ada*"')
@limit_option
@as_lines
def list_(organization: str, condition: str, limit: int | None, as_json: bool) -> None:
    """List those of an organization, newest first."""
    from protos.tenancy.v1 import invitations_pb2 as pb
    from tenantry import client, output, places
    from tenantry.shown_members import INVITATION_COLUMNS, invitation_row

    most = output.at_most(limit, as_json)
    with client.as_operator("tenancy") as ask:
        found = places.find_organization(ask, organization)
        request = pb.ListInvitationsRequest(
            organization_id=found.organization_id, filter=condition, page_size=output.page_size(most)
        )
        pages = client.pages(ask, f"{INVITATIONS}/ListInvitations", request, pb.ListInvitationsResponse)
        listed = (invitation for page in pages for invitation in page.invitations)
        row = partial(invitation_row, places.projects_of(ask, found.organization_id))
        all_of_them = command("invitations", "list", found.slug, *given("--filter", condition))
        output.print_list(listed, INVITATION_COLUMNS, row, as_json, most, all_of_them)


@invitations.command()
@click.argument("organization")
@click.argument("email")
@as_object
def revoke(organization: str, email: str, as_json: bool) -> None:
    """Take back one that nobody has answered. EMAIL may also be the invitation's id."""
    from protos.tenancy.v1 import invitations_pb2 as pb
    from tenantry import client, places

    with client.as_operator("tenancy") as ask:
        invitation_id = open_invitation(ask, places.find_organization(ask, organization), email)
        request = pb.RevokeInvitationRequest(invitation_id=invitation_id)
        revoked = ask(f"{INVITATIONS}/RevokeInvitation", request, pb.RevokeInvitationResponse).invitation
    show_changed(revoked, as_json)


@invitations.command()
@click.argument("organization")
@click.argument("email")
@as_object
def resend(organization: str, email: str, as_json: bool) -> None:
    """Send a new mail, with a new link, for as long again. EMAIL may also be the invitation's id."""
    from protos.tenancy.v1 import invitations_pb2 as pb
    from tenantry import client, places

    with client.as_operator("tenancy") as ask:
        invitation_id = open_invitation(ask, places.find_organization(ask, organization), email)
        request = pb.ResendInvitationRequest(invitation_id=invitation_id)
        sent = ask(f"{INVITATIONS}/ResendInvitation", request, pb.ResendInvitationResponse).invitation
    show_changed(sent, as_json)


def open_invitation(ask: "Ask", organization: "Organization", email: str) -> str:
    """The id of the address's one that is pending, or was until it expired."""
    from protos.tenancy.v1 import invitations_pb2 as pb
    from tenantry import client
    from tenantry.shown_messages import is_uuid

    if is_uuid(email):
        return email
    quoted = email.replace("\\", "\\\\").replace('"', '\\"')
    request = pb.ListInvitationsRequest(organization_id=organization.organization_id, filter=f'email = "{quoted}"')
    for page in client.pages(ask, f"{INVITATIONS}/ListInvitations", request, pb.ListInvitationsResponse):
        for invitation in page.invitations:
            if invitation.state in (pb.INVITATION_STATE_PENDING, pb.INVITATION_STATE_EXPIRED):
                return invitation.invitation_id
    hint = f"invite them:  {command('invitations', 'create', organization.slug, email, '--role', 'MEMBER')}"
    raise Failure(f"{email} has no pending invitation to {organization.slug}", REFUSED, hint)


def show_changed(invitation: "Invitation", as_json: bool) -> None:
    from tenantry import output, shown_messages
    from tenantry.shown_messages import time, word

    if as_json:
        output.print_json(shown_messages.as_json(invitation))
        return
    state = word(invitation, "state")
    until = [f"until {time(invitation.expire_time)}"] if state == "PENDING" else []
    click.echo("   ".join([invitation.email, invitation.invitation_id, word(invitation, "role"), state, *until]))
