"""Organizations and projects as people name them: acme, acme/api; or by their ids."""

from dataclasses import dataclass

from protos.tenancy.v1 import organizations_pb2, projects_pb2
from protos.tenancy.v1.organizations_pb2 import Organization
from protos.tenancy.v1.projects_pb2 import Project
from tenantry import client
from tenantry.client import Ask, CallFailed
from tenantry.failures import REFUSED, WRONG_USE, Failure, command
from tenantry.shown_messages import is_uuid

ORGANIZATIONS = "tenancy.v1.OrganizationService"
PROJECTS = "tenancy.v1.ProjectService"


@dataclass(frozen=True, slots=True)
class Place:
    """An organization, or a project in it."""

    organization: Organization
    project: Project | None = None

    @property
    def name(self) -> str:
        return f"{self.organization.slug}/{self.project.slug}" if self.project else self.organization.slug


@dataclass(frozen=True, slots=True)
class ProjectPlace(Place):
    """One that is a project for certain."""

    project: Project


def find_place(ask: Ask, name: str) -> Place:
    if "/" in name:
        return find_project(ask, name)
    try:
        return Place(find_organization(ask, name))
    except CallFailed:
        raise
    except Failure:
        if not is_uuid(name):
            raise
    return find_project(ask, name)


def find_organization(ask: Ask, name: str) -> Organization:
    """By its slug, also an older one, or its id."""
    if "/" in name:
        slug = name.partition("/")[0]
        raise Failure(f"{name} is a project, and an organization is needed", WRONG_USE, f"its organization:  {slug}")
    request = organizations_pb2.GetOrganizationRequest()
    if is_uuid(name):
        request.organization_id = name
    else:
        request.slug = name
    try:
        response = organizations_pb2.GetOrganizationResponse
        return ask(f"{ORGANIZATIONS}/GetOrganization", request, response).organization
    except CallFailed as failed:
        raise absent(failed, f"organization {name}", all_organizations(name)) from None


def find_project(ask: Ask, name: str) -> ProjectPlace:
    """By the slugs of its organization and its own, or by its id alone."""
    organization, slash, own = name.partition("/")
    if slash:
        within = find_organization(ask, organization)
        return ProjectPlace(within, get_project(ask, own, within))
    if not is_uuid(name):
        hint = f"which there are:  {command('projects', 'list', name)}"
        raise Failure(f"{name} is an organization, and a project is needed, such as {name}/api", WRONG_USE, hint)
    project = get_project(ask, name)
    return ProjectPlace(find_organization(ask, project.organization_id), project)


def get_project(ask: Ask, name: str, within: Organization | None = None) -> Project:
    """By its id, or by its slug in an organization."""
    by_id = projects_pb2.GetProjectRequest(project_id=name)
    whole = f"{within.slug}/{name}" if within else name
    hint = f"which there are:  {command('projects', 'list', within.slug)}" if within else all_organizations(name)
    if within and not is_uuid(name):
        by_id = projects_pb2.GetProjectRequest(organization_id=within.organization_id, slug=name)
    try:
        project = ask(f"{PROJECTS}/GetProject", by_id, projects_pb2.GetProjectResponse).project
    except CallFailed as failed:
        raise absent(failed, f"project {whole}", hint) from None
    if within and project.organization_id != within.organization_id:
        raise Failure(f"there is no project {whole}", REFUSED, hint)
    return project


def deleted_organization_id(ask: Ask, name: str) -> str:
    """Of a deleted one: slugs are unique until it goes for good."""
    if is_uuid(name):
        return name
    request = organizations_pb2.ListOrganizationsRequest(show_deleted=True, page_size=1000)
    response = organizations_pb2.ListOrganizationsResponse
    for page in client.pages(ask, f"{ORGANIZATIONS}/ListOrganizations", request, response):
        for organization in page.organizations:
            if organization.slug == name.lower():
                return organization.organization_id
    hint = f"all of them:  {command('orgs', 'list', '--deleted')}"
    raise Failure(f"there is no organization {name}, nor a deleted one", REFUSED, hint)


def deleted_project_id(ask: Ask, name: str) -> str:
    """Of a deleted one, in an organization that is there."""
    organization, slash, own = name.partition("/")
    if is_uuid(name) or is_uuid(own):
        return own or name
    if not slash:
        raise Failure(f"{name} is an organization, and a project is needed, such as {name}/api", WRONG_USE)
    within = find_organization(ask, organization)
    for project_id, project in projects_of(ask, within.organization_id).items():
        if project.slug == own.lower():
            return project_id
    hint = f"all of them:  {command('projects', 'list', within.slug, '--deleted')}"
    raise Failure(f"there is no project {name}, nor a deleted one", REFUSED, hint)


def projects_of(ask: Ask, organization_id: str) -> dict[str, Project]:
    """By id, also the deleted ones."""
    request = projects_pb2.ListProjectsRequest(organization_id=organization_id, show_deleted=True, page_size=1000)
    pages = client.pages(ask, f"{PROJECTS}/ListProjects", request, projects_pb2.ListProjectsResponse)
    return {project.project_id: project for page in pages for project in page.projects}


def absent(failed: CallFailed, what: str, hint: str) -> Failure:
    """A service with its key is refused only what is not there."""
    if failed.reason != "PERMISSION_DENIED":
        return failed
    return Failure(f"there is no {what}   {failed.reason}", REFUSED, hint)


def all_organizations(name: str) -> str:
    which = f"which there are:  {command('orgs', 'list')}"
    if is_uuid(name):
        return which
    return f"create it:        tenantry orgs create {name} --owner EMAIL\n{which}"
