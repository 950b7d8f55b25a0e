"""`tenantry roles`: what people are on a project, inherited or set."""

from datetime import datetime

import click

from tenantry.commands.options import PROJECT_ROLE, as_lines, as_object, dry_run_option, limit_option, until_option
from tenantry.failures import command


@click.group()
def roles() -> None:
    """What people are on a project. PROJECT is such as acme/api, or an id; EMAIL may also be a user's id."""


@roles.command("set")
@click.argument("project")
@click.argument("email")
@click.argument("role", type=PROJECT_ROLE)
@until_option
@dry_run_option
@as_object
def set_(project: str, email: str, role: str, until: datetime | None, dry_run: bool, as_json: bool) -> None:
    """Override a member's role on a project, higher or lower; NONE locks them out of it."""
    from protos.tenancy.v1 import project_members_pb2 as pb
    from protos.tenancy.v1.roles_pb2 import ProjectRole
    from tenantry import client, places, shown_changes, shown_members, shown_users

    with client.as_operator("identity", "tenancy") as ask:
        found = places.find_project(ask, project)
        user = shown_users.find(ask, email)
        request = pb.SetProjectRoleRequest(
            project_id=found.project.project_id,
            user_id=user.user_id,
            role=ProjectRole.Value(f"PROJECT_ROLE_{role}"),
            validate_only=dry_run,
        )
        if until:
            request.expire_time.FromDatetime(until)
        with shown_members.advised(found.organization.slug, email):
            answer = ask(f"{shown_members.ROLES}/SetProjectRole", request, pb.SetProjectRoleResponse)
        if dry_run:
            shown_changes.print_changes(ask, found, answer.changes, answer.change_count, as_json)
            return
    shown_members.print_role(answer.member, user, found.name, as_json)


@roles.command()
@click.argument("project")
@click.argument("email")
@dry_run_option
@as_object
def clear(project: str, email: str, dry_run: bool, as_json: bool) -> None:
    """Take back what was set for a member on a project: the role is inherited again."""
    from protos.tenancy.v1 import project_members_pb2 as pb
    from tenantry import client, places, shown_changes, shown_members, shown_users

    with client.as_operator("identity", "tenancy") as ask:
        found = places.find_project(ask, project)
        user = shown_users.find(ask, email)
        request = pb.ClearProjectRoleRequest(
            project_id=found.project.project_id, user_id=user.user_id, validate_only=dry_run
        )
        with shown_members.advised(found.organization.slug, email):
            answer = ask(f"{shown_members.ROLES}/ClearProjectRole", request, pb.ClearProjectRoleResponse)
        if dry_run:
            shown_changes.print_changes(ask, found, answer.changes, answer.change_count, as_json)
            return
    shown_members.print_role(answer.member, user, found.name, as_json)


@roles.command("list")
@click.argument("project")
@limit_option
@as_lines
def list_(project: str, limit: int | None, as_json: bool) -> None:
    """List everybody who has a role on a project, or for whom one was set, with where it comes from."""
    from protos.tenancy.v1 import project_members_pb2 as pb
    from tenantry import client, output, places
    from tenantry.shown_members import ROLE_COLUMNS, ROLES, role_row

    most = output.at_most(limit, as_json)
    with client.as_operator("tenancy") as ask:
        found = places.find_project(ask, project)
        request = pb.ListProjectMembersRequest(project_id=found.project.project_id, page_size=output.page_size(most))
        pages = client.pages(ask, f"{ROLES}/ListProjectMembers", request, pb.ListProjectMembersResponse)
        listed = (member for page in pages for member in page.members)
        output.print_list(listed, ROLE_COLUMNS, role_row, as_json, most, command("roles", "list", found.name))
