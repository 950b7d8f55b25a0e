"""Who is what where, what is asked about it, and what the role table answers."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from uuid_utils.compat import uuid7

from tenancy_service.permissions import LeastRole, OrgRole, ProjectRole, access, is_allowed

PEOPLE = 1000
PROJECTS = 1000
ORGANIZATIONS = 8
OVERRIDES = 2  # for each person, on projects of their organization
QUESTIONS = 6000
# Of ten people in an organization.
ROLES = [*[OrgRole.OWNER] * 2, *[OrgRole.ADMIN] * 2, *[OrgRole.MEMBER] * 3, *[OrgRole.GUEST] * 3]


@dataclass
class Organization:
    organization_id: UUID
    default_project_role: ProjectRole
    members: dict[UUID, OrgRole] = field(default_factory=dict)
    projects: list[UUID] = field(default_factory=list)
    overrides: dict[tuple[UUID, UUID], ProjectRole] = field(default_factory=dict)  # by user and project


@dataclass(frozen=True)
class Question:
    """May this user do that in the organization, or on its project?"""

    user_id: UUID
    organization: Organization
    project_id: UUID | None
    permission: str


def organizations(people: int = PEOPLE, projects: int = PROJECTS) -> list[Organization]:
    """Two for each default role; everybody is in one, and has a role of their own on some of its projects."""
    made = [Organization(uuid7(), [*ProjectRole][n % 4]) for n in range(ORGANIZATIONS)]
    for n in range(people):
        made[n % ORGANIZATIONS].members[uuid7()] = ROLES[n // ORGANIZATIONS % len(ROLES)]
    for n in range(projects):
        made[n % ORGANIZATIONS].projects.append(uuid7())
    chosen = random.Random(5)
    for organization in made:
        for user_id in organization.members:
            for project_id in chosen.sample(organization.projects, OVERRIDES):
                organization.overrides[user_id, project_id] = chosen.choice([*ProjectRole])
    return made


def questions(places: list[Organization], permissions: Mapping[str, LeastRole]) -> list[Question]:
    """Every kind of role equally often; a fifth of them about places of others."""
    chosen = random.Random(5)
    people = [(user_id, home) for home in places for user_id in home.members]
    # Not by the role alone: numbers of roles in an organization and on a project are equal.
    by_least: dict[str, list[str]] = {}
    for name, least in sorted(permissions.items()):
        by_least.setdefault(repr(least), []).append(name)
    kinds = [*by_least.values()]
    asked = []
    for n in range(QUESTIONS):
        user_id, home = people[n % len(people)]
        permission = chosen.choice(chosen.choice(kinds))
        organization = chosen.choice(places) if chosen.random() < 0.2 else home
        project_id = None
        if isinstance(permissions[permission], ProjectRole):
            overridden = [project for user, project in home.overrides if user == user_id]
            is_overridden = organization is home and chosen.random() < 0.7
            project_id = chosen.choice(overridden if is_overridden else organization.projects)
        asked.append(Question(user_id, organization, project_id, permission))
    return asked


def pages(places: list[Organization], permission: str) -> list[list[Question]]:
    """One permission on 100 projects of their organization, for each person: what a list asks before it is shown."""
    return [
        [Question(user_id, home, project_id, permission) for project_id in home.projects[:100]]
        for home in places
        for user_id in home.members
    ]


def roles(question: Question) -> tuple[OrgRole | None, ProjectRole | None, ProjectRole]:
    """In the organization, set on the project, and what members are on projects."""
    organization = question.organization
    override = organization.overrides.get((question.user_id, question.project_id)) if question.project_id else None
    return organization.members.get(question.user_id), override, organization.default_project_role


def expected(question: Question, permissions: Mapping[str, LeastRole]) -> bool:
    found = access(*roles(question), on_project=question.project_id is not None)
    return is_allowed(permissions[question.permission], found)
