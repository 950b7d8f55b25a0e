"""The role table as a SpiceDB schema, and organizations as relationships.

A role is written as everything that it is at least (an override EDITOR as override_viewer and override_editor), and a
default role as the wildcard user:*. Of five ways tried, this one makes checks cheapest for SpiceDB; the plainest,
`permission viewer = editor + ...` over exact roles, took half as much processor time again.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from benchmarks.peers.places import Organization, Question
from tenancy_service.permissions import LeastRole, OrgRole, ProjectRole

HELD = [ProjectRole.VIEWER, ProjectRole.EDITOR, ProjectRole.ADMIN]


class Relationship(NamedTuple):
    resource_type: str
    resource_id: str
    relation: str
    subject_type: str
    subject_id: str


class Check(NamedTuple):
    resource_type: str
    resource_id: str
    permission: str
    user_id: str


def schema(permissions: Mapping[str, LeastRole]) -> str:
    organization = [f"relation {role.name.lower()}: user" for role in OrgRole]
    project = ["relation organization: organization", "relation overridden: user"]
    for held in HELD:
        name = held.name.lower()
        organization.append(f"relation default_{name}: user:*")
        organization.append(f"permission inherits_{name} = admin + (member & default_{name})")
        project.append(f"relation override_{name}: user")
    for permission, least in sorted(permissions.items()):
        if isinstance(least, OrgRole):
            holders = " + ".join(role.name.lower() for role in OrgRole if role >= least)
            organization.append(f"permission {named(permission)} = {holders}")
        else:
            name = least.name.lower()
            inherited = f"(organization->inherits_{name} - overridden)"
            project.append(f"permission {named(permission)} = override_{name} + organization->owner + {inherited}")
    return f"definition user {{}}\n{definition('organization', organization)}{definition('project', project)}"


def definition(name: str, lines: list[str]) -> str:
    return "\n".join([f"definition {name} {{", *[f"  {line}" for line in lines], "}", ""])


def named(permission: str) -> str:
    return permission.replace(":", "_")


def relationships(places: list[Organization]) -> Iterator[Relationship]:
    for place in places:
        organization = ("organization", str(place.organization_id))
        for held in HELD:
            if place.default_project_role >= held:
                yield Relationship(*organization, f"default_{held.name.lower()}", "user", "*")
        for user_id, role in place.members.items():
            yield Relationship(*organization, role.name.lower(), "user", str(user_id))
        for project_id in place.projects:
            yield Relationship("project", str(project_id), "organization", *organization)
        for (user_id, project_id), override in place.overrides.items():
            yield Relationship("project", str(project_id), "overridden", "user", str(user_id))
            for held in HELD:
                if override >= held:
                    name = f"override_{held.name.lower()}"
                    yield Relationship("project", str(project_id), name, "user", str(user_id))


def check(question: Question) -> Check:
    place = ("project", question.project_id) if question.project_id else _organization(question)
    return Check(place[0], str(place[1]), named(question.permission), str(question.user_id))


def _organization(question: Question) -> tuple[str, object]:
    return "organization", question.organization.organization_id
