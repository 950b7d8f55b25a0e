"""`tenantry orgs`: organizations."""

from typing import TYPE_CHECKING

import click

from tenantry.commands.options import (
    as_lines,
    as_object,
    dry_run_option,
    limit_option,
    make_sure,
    yes_option,
)
from tenantry.commands.orgs_audit import audit
from tenantry.failures import command, given

if TYPE_CHECKING:
    from protos.tenancy.v1.organizations_pb2 import Organization


@click.group()
def orgs() -> None:
    """Organizations. SLUG may also be an id, EMAIL a user's id."""


orgs.add_command(audit)


@orgs.command()
@click.argument("slug")
@click.option("--owner", required=True, metavar="EMAIL", help="Who owns it: an account that exists.")
@click.option("--name", default="", help="As people see it; the slug if none is given.")
@as_object
def create(slug: str, owner: str, name: str, as_json: bool) -> None:
    """Create an organization."""
    from protos.tenancy.v1 import organizations_pb2 as pb
    from tenantry import client, output, shown_messages, shown_users
    from tenantry.places import ORGANIZATIONS

    with client.as_operator("identity", "tenancy") as ask:
        user = shown_users.find(ask, owner)
        request = pb.CreateOrganizationRequest(slug=slug, display_name=name, owner_user_id=user.user_id)
        with client.advised(SLUG_TAKEN=f"which there are:  {command('orgs', 'list', '--deleted')}"):
            made = ask(f"{ORGANIZATIONS}/CreateOrganization", request, pb.CreateOrganizationResponse).organization
    if as_json:
        output.print_json(shown_messages.as_json(made))
    else:
        click.echo("   ".join([made.slug, made.organization_id, f"owner: {user.email}"]))


@orgs.command("list")
@click.option("--user", metavar="EMAIL", help="Only those that the person is a member of, with their role.")
@click.option("--deleted", is_flag=True, help="Deleted ones too.")
@click.option("--ownerless", is_flag=True, help="Only those that lost all their owners.")
@limit_option
@as_lines
def list_(user: str | None, deleted: bool, ownerless: bool, limit: int | None, as_json: bool) -> None:
    """List organizations, oldest first."""
    from protos.tenancy.v1 import organizations_pb2 as pb
    from tenantry import client, output, shown_users
    from tenantry.places import ORGANIZATIONS
    from tenantry.shown_places import ORGANIZATION_COLUMNS, organization_row, row_with_role

    most = output.at_most(limit, as_json)
    request = pb.ListOrganizationsRequest(show_deleted=deleted, page_size=output.page_size(most))
    if ownerless:
        request.filter = "ownerless = true"
    with client.as_operator("identity", "tenancy") as ask:
        if user:
            request.user_id = shown_users.find(ask, user).user_id
        pages = client.pages(ask, f"{ORGANIZATIONS}/ListOrganizations", request, pb.ListOrganizationsResponse)
        found = (organization for page in pages for organization in page.organizations)
        columns = (*ORGANIZATION_COLUMNS, "role") if user else ORGANIZATION_COLUMNS
        row = row_with_role if user else organization_row
        chosen = (*given("--user", user), *given("--deleted", deleted), *given("--ownerless", ownerless))
        output.print_list(found, columns, row, as_json, most, command("orgs", "list", *chosen))


@orgs.command()
@click.argument("slug")
@as_object
def get(slug: str, as_json: bool) -> None:
    """Show one."""
    from tenantry import client, output, places, shown_messages
    from tenantry.shown_places import organization_facts

    with client.as_operator("tenancy") as ask:
        found = places.find_organization(ask, slug)
    if as_json:
        output.print_json(shown_messages.as_json(found))
    else:
        output.print_facts(organization_facts(found))


@orgs.command()
@click.argument("slug")
@click.option("--force", is_flag=True, help="Also with projects in it.")
@dry_run_option
@yes_option
@as_object
def delete(slug: str, force: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete one. At once nobody has access to it; it can be undeleted until it goes for good."""
    from protos.tenancy.v1 import organizations_pb2 as pb
    from tenantry import client, output, places, shown_changes
    from tenantry.shown_messages import time

    again = ("orgs", "delete", slug)
    with client.as_operator("identity", "tenancy") as ask:
        found = places.find_organization(ask, slug)
        request = pb.DeleteOrganizationRequest(
            organization_id=found.organization_id, force=force, validate_only=dry_run
        )
        if not dry_run:
            make_sure(f"Delete {found.slug} ({found.display_name})?", yes, command(*again, *given("--force", force)))
        with client.advised(ORGANIZATION_NOT_EMPTY=f"with its projects:  {command(*again, '--force')}"):
            answer = ask(f"{places.ORGANIZATIONS}/DeleteOrganization", request, pb.DeleteOrganizationResponse)
        if dry_run:
            shown_changes.print_changes(ask, places.Place(found), answer.changes, answer.change_count, as_json)
            return
    show_changed(answer.organization, as_json)
    until = f"Until {time(answer.organization.purge_time)} you can undo it:"
    output.note(f"{until}  {command('orgs', 'undelete', found.slug)}")


@orgs.command()
@click.argument("slug")
@as_object
def undelete(slug: str, as_json: bool) -> None:
    """Bring back a deleted one, with all members, roles and projects as they were."""
    from protos.tenancy.v1 import organizations_pb2 as pb
    from tenantry import client, places

    with client.as_operator("tenancy") as ask:
        request = pb.UndeleteOrganizationRequest(organization_id=places.deleted_organization_id(ask, slug))
        answer = ask(f"{places.ORGANIZATIONS}/UndeleteOrganization", request, pb.UndeleteOrganizationResponse)
    show_changed(answer.organization, as_json)


@orgs.command("restore-owner")
@click.argument("slug")
@click.argument("email")
@click.option("--reason", required=True, help="Kept in the audit.")
@as_object
def restore_owner(slug: str, email: str, reason: str, as_json: bool) -> None:
    """Give an organization that lost all its owners a new one."""
    from protos.tenancy.v1 import organizations_pb2 as pb
    from tenantry import client, places, shown_users

    with client.as_operator("identity", "tenancy") as ask:
        found = places.find_organization(ask, slug)
        user = shown_users.find(ask, email)
        request = pb.RestoreOwnerRequest(organization_id=found.organization_id, user_id=user.user_id, reason=reason)
        who = command("members", "list", found.slug, "--filter", "role = OWNER")
        with client.advised(OWNER_EXISTS=f"who it is:  {who}"):
            answer = ask(f"{places.ORGANIZATIONS}/RestoreOwner", request, pb.RestoreOwnerResponse)
    show_changed(answer.organization, as_json)


def show_changed(organization: "Organization", as_json: bool) -> None:
    from tenantry import output, shown_messages
    from tenantry.shown_places import state

    if as_json:
        output.print_json(shown_messages.as_json(organization))
    else:
        click.echo("   ".join([organization.slug, organization.organization_id, state(organization)]))
