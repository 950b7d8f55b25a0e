"""Organizations and projects as the command line shows them: as one line, as facts, as a table's row."""

from protos.tenancy.v1.organizations_pb2 import Organization
from protos.tenancy.v1.projects_pb2 import Project
from tenantry.shown_messages import metadata, time, word

ORGANIZATION_COLUMNS = ("slug", "organization_id", "display_name", "members_get", "state", "created")
PROJECT_COLUMNS = ("project", "project_id", "display_name", "state", "created")
ROLE = "default_project_role"


def organization_row(organization: Organization) -> tuple[str, ...]:
    """In the order of ORGANIZATION_COLUMNS."""
    return (
        organization.slug,
        organization.organization_id,
        organization.display_name,
        word(organization, ROLE),
        state(organization),
        time(organization.create_time),
    )


def row_with_role(organization: Organization) -> tuple[str, ...]:
    """With one more column: what the person is in it."""
    return (*organization_row(organization), word(organization, "caller_role"))


def project_row(organization: Organization, project: Project) -> tuple[str, ...]:
    """In the order of PROJECT_COLUMNS."""
    name = f"{organization.slug}/{project.slug}"
    return (name, project.project_id, project.display_name, state(project), time(project.create_time))


def state(place: Organization | Project) -> str:
    if place.HasField("delete_time"):
        return "DELETED"
    return "OWNERLESS" if isinstance(place, Organization) and place.ownerless else "ACTIVE"


def organization_facts(organization: Organization) -> dict[str, str]:
    told = {
        "slug": organization.slug,
        "organization_id": organization.organization_id,
        "display_name": organization.display_name,
        "members_get": f"{word(organization, ROLE)} on every project",
        **since(organization),
    }
    return {name: value for name, value in told.items() if value}


def project_facts(name: str, project: Project) -> dict[str, str]:
    told = {
        "project": name,
        "project_id": project.project_id,
        "organization_id": project.organization_id,
        "display_name": project.display_name,
        **since(project),
    }
    return {name: value for name, value in told.items() if value}


def since(place: Organization | Project) -> dict[str, str]:
    return {
        "state": state(place),
        "created": time(place.create_time),
        "updated": time(place.update_time),
        "deleted": time(place.delete_time),
        "gone_for_good": time(place.purge_time),
        "public_metadata": metadata(place.public_metadata),
        "private_metadata": metadata(place.private_metadata),
    }
