"""`tenantry members`: who belongs to an organization, and as what."""

from datetime import datetime

import click

from tenantry.commands.options import (
    ORG_ROLE,
    Time,
    as_lines,
    as_object,
    dry_run_option,
    limit_option,
    until_option,
)
from tenantry.failures import WRONG_USE, Failure, command, given


@click.group()
def members() -> None:
    """Who belongs to an organization. ORGANIZATION is its slug or id, EMAIL may also be a user's id."""


@members.command()
@click.argument("organization")
@click.argument("email")
@click.option("--role", type=ORG_ROLE, required=True)
@until_option
@as_object
def add(organization: str, email: str, role: str, until: datetime | None, as_json: bool) -> None:
    """Make a user a member."""
    from protos.tenancy.v1 import organization_members_pb2 as pb
    from protos.tenancy.v1.roles_pb2 import OrgRole
    from tenantry import client, places, shown_members, shown_users

    with client.as_operator("identity", "tenancy") as ask:
        found = places.find_organization(ask, organization)
        invite = command("invitations", "create", found.slug, email, "--role", role)
        user = shown_users.find(ask, email, f"or invite:    {invite}")
        request = pb.AddOrganizationMemberRequest(
            organization_id=found.organization_id, user_id=user.user_id, role=OrgRole.Value(f"ORG_ROLE_{role}")
        )
        if until:
            request.expire_time.FromDatetime(until)
        update = command("members", "update", found.slug, email, "--role", role)
        with client.advised(ALREADY_A_MEMBER=f"change the role:  {update}"):
            made = ask(f"{shown_members.MEMBERS}/AddOrganizationMember", request, pb.AddOrganizationMemberResponse)
    shown_members.print_member(made.member, user, found.slug, as_json)


@members.command("list")
@click.argument("organization")
@click.option("--filter", "condition", default="", help='Such as: role = ADMIN, email = "ada*", display_name = "Ada*"')
@limit_option
@as_lines
def list_(organization: str, condition: str, limit: int | None, as_json: bool) -> None:
    """List the members of an organization."""
    from protos.tenancy.v1 import organization_members_pb2 as pb
    from tenantry import client, output, places
    from tenantry.shown_members import MEMBER_COLUMNS, MEMBERS, member_row

    most = output.at_most(limit, as_json)
    with client.as_operator("tenancy") as ask:
        found = places.find_organization(ask, organization)
        request = pb.ListOrganizationMembersRequest(
            organization_id=found.organization_id, filter=condition, page_size=output.page_size(most)
        )
        pages = client.pages(ask, f"{MEMBERS}/ListOrganizationMembers", request, pb.ListOrganizationMembersResponse)
        listed = (member for page in pages for member in page.members)
        output.print_list(
            listed,
            MEMBER_COLUMNS,
            member_row,
            as_json,
            most,
            command("members", "list", found.slug, *given("--filter", condition)),
        )


@members.command()
@click.argument("organization")
@click.argument("email")
@click.option("--role", type=ORG_ROLE, default=None)
@click.option("--until", type=Time(never=True), help="Only until then, such as 2027-01-31T18:00:00Z; or: never")
@dry_run_option
@as_object
def update(
    organization: str, email: str, role: str | None, until: datetime | str | None, dry_run: bool, as_json: bool
) -> None:
    """Change a member's role, or when the membership ends."""
    from protos.tenancy.v1 import organization_members_pb2 as pb
    from protos.tenancy.v1.roles_pb2 import OrgRole
    from tenantry import client, places, shown_changes, shown_members, shown_users

    if role is None and until is None:
        raise Failure("nothing to change: say --role, --until or both", WRONG_USE)
    with client.as_operator("identity", "tenancy") as ask:
        found = places.find_organization(ask, organization)
        user = shown_users.find(ask, email)
        request = pb.UpdateOrganizationMemberRequest(
            organization_id=found.organization_id, user_id=user.user_id, validate_only=dry_run
        )
        if role:
            request.role = OrgRole.Value(f"ORG_ROLE_{role}")
            request.update_mask.paths.append("role")
        if until:
            request.update_mask.paths.append("expire_time")
        if isinstance(until, datetime):
            request.expire_time.FromDatetime(until)
        with shown_members.advised(found.slug, email):
            method = f"{shown_members.MEMBERS}/UpdateOrganizationMember"
            answer = ask(method, request, pb.UpdateOrganizationMemberResponse)
        if dry_run:
            shown_changes.print_changes(ask, places.Place(found), answer.changes, answer.change_count, as_json)
            return
    shown_members.print_member(answer.member, user, found.slug, as_json)


@members.command()
@click.argument("organization")
@click.argument("email")
@dry_run_option
@as_object
def remove(organization: str, email: str, dry_run: bool, as_json: bool) -> None:
    """Remove a member, with all that was set for them on projects."""
    from protos.tenancy.v1 import organization_members_pb2 as pb
    from tenantry import client, output, places, shown_changes, shown_members, shown_users

    with client.as_operator("identity", "tenancy") as ask:
        found = places.find_organization(ask, organization)
        user = shown_users.find(ask, email)
        request = pb.RemoveOrganizationMemberRequest(
            organization_id=found.organization_id, user_id=user.user_id, validate_only=dry_run
        )
        with shown_members.advised(found.slug, email):
            method = f"{shown_members.MEMBERS}/RemoveOrganizationMember"
            answer = ask(method, request, pb.RemoveOrganizationMemberResponse)
        if dry_run:
            shown_changes.print_changes(ask, places.Place(found), answer.changes, answer.change_count, as_json)
            return
    if as_json:
        output.print_json({"organization_id": found.organization_id, "user_id": user.user_id, "email": user.email})
    else:
        click.echo(f"{user.email}   removed from {found.slug}")
