"""What an access file says: organizations with their people and projects, and the answers that are expected."""

from collections.abc import Mapping
from dataclasses import dataclass

from tenancy_service.permissions import LeastRole, OrgRole, ProjectRole


@dataclass(frozen=True, slots=True)
class Organization:
    """`projects` by their slug: the roles that are set on each, by person."""

    default_project_role: ProjectRole
    members: Mapping[str, OrgRole]
    projects: Mapping[str, Mapping[str, ProjectRole]]


@dataclass(frozen=True, slots=True)
class Expectation:
    """`on` is such as acme or acme/api; `line` is that of its [[expect]]."""

    line: int
    who: str
    permission: str
    on: str
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class AccessFile:
    permissions: Mapping[str, LeastRole]
    organizations: Mapping[str, Organization]
    expectations: tuple[Expectation, ...]
