"""`tenantry projects`: the places in organizations."""

from functools import partial
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
from tenantry.failures import WRONG_USE, Failure, command, given

if TYPE_CHECKING:
    from protos.tenancy.v1.projects_pb2 import Project


@click.group()
def projects() -> None:
    """Projects. PROJECT is such as acme/api, or an id."""


@projects.command()
@click.argument("project")
@click.option("--name", default="", help="As people see it; the slug if none is given.")
@as_object
def create(project: str, name: str, as_json: bool) -> None:
    """Create a project in an organization that is there."""
    from protos.tenancy.v1 import projects_pb2 as pb
    from tenantry import client, places

    organization, slash, slug = project.partition("/")
    if not slash:
        raise Failure(
            "a project is created in an organization", WRONG_USE, "such as:  tenantry projects create acme/api"
        )
    with client.as_operator("tenancy") as ask:
        within = places.find_organization(ask, organization)
        request = pb.CreateProjectRequest(organization_id=within.organization_id, slug=slug, display_name=name)
        with client.advised(SLUG_TAKEN=f"which there are:  {command('projects', 'list', within.slug, '--deleted')}"):
            made = ask(f"{places.PROJECTS}/CreateProject", request, pb.CreateProjectResponse).project
    show_changed(f"{within.slug}/{made.slug}", made, as_json)


@projects.command("list")
@click.argument("organization")
@click.option("--deleted", is_flag=True, help="Deleted ones too.")
@limit_option
@as_lines
def list_(organization: str, deleted: bool, limit: int | None, as_json: bool) -> None:
    """List the projects of an ORGANIZATION, oldest first."""
    from protos.tenancy.v1 import projects_pb2 as pb
    from tenantry import client, output, places
    from tenantry.shown_places import PROJECT_COLUMNS, project_row

    most = output.at_most(limit, as_json)
    with client.as_operator("tenancy") as ask:
        within = places.find_organization(ask, organization)
        request = pb.ListProjectsRequest(
            organization_id=within.organization_id, show_deleted=deleted, page_size=output.page_size(most)
        )
        pages = client.pages(ask, f"{places.PROJECTS}/ListProjects", request, pb.ListProjectsResponse)
        found = (project for page in pages for project in page.projects)
        all_of_them = command("projects", "list", within.slug, *given("--deleted", deleted))
        output.print_list(found, PROJECT_COLUMNS, partial(project_row, within), as_json, most, all_of_them)


@projects.command()
@click.argument("project")
@as_object
def get(project: str, as_json: bool) -> None:
    """Show one."""
    from tenantry import client, output, places, shown_messages
    from tenantry.shown_places import project_facts

    with client.as_operator("tenancy") as ask:
        found = places.find_project(ask, project)
    if as_json:
        output.print_json(shown_messages.as_json(found.project))
    else:
        output.print_facts(project_facts(found.name, found.project))


@projects.command()
@click.argument("project")
@dry_run_option
@yes_option
@as_object
def delete(project: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete one. At once nobody has access to it; it can be undeleted until it goes for good."""
    from protos.tenancy.v1 import projects_pb2 as pb
    from tenantry import client, output, places, shown_changes
    from tenantry.shown_messages import time

    with client.as_operator("identity", "tenancy") as ask:
        found = places.find_project(ask, project)
        if not dry_run:
            make_sure(f"Delete {found.name}?", yes, command("projects", "delete", project))
        request = pb.DeleteProjectRequest(project_id=found.project.project_id, validate_only=dry_run)
        answer = ask(f"{places.PROJECTS}/DeleteProject", request, pb.DeleteProjectResponse)
        if dry_run:
            shown_changes.print_changes(ask, found, answer.changes, answer.change_count, as_json)
            return
    show_changed(found.name, answer.project, as_json)
    until = f"Until {time(answer.project.purge_time)} you can undo it:"
    output.note(f"{until}  {command('projects', 'undelete', found.name)}")


@projects.command()
@click.argument("project")
@as_object
def undelete(project: str, as_json: bool) -> None:
    """Bring back a deleted one, with all roles as they were."""
    from protos.tenancy.v1 import projects_pb2 as pb
    from tenantry import client, places

    with client.as_operator("tenancy") as ask:
        request = pb.UndeleteProjectRequest(project_id=places.deleted_project_id(ask, project))
        back = ask(f"{places.PROJECTS}/UndeleteProject", request, pb.UndeleteProjectResponse).project
        within = places.find_organization(ask, back.organization_id)
    show_changed(f"{within.slug}/{back.slug}", back, as_json)


def show_changed(name: str, project: "Project", as_json: bool) -> None:
    from tenantry import output, shown_messages
    from tenantry.shown_places import state

    if as_json:
        output.print_json(shown_messages.as_json(project))
    else:
        click.echo("   ".join([name, project.project_id, state(project)]))
