"""Roles and permissions: who may do what. Pure functions over one table, no I/O."""

import difflib
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import NamedTuple


class OrgRole(IntEnum):
    """A role in an organization; a larger one may do more. Numbers are those of the contract."""

    GUEST = 1
    MEMBER = 2
    ADMIN = 3
    OWNER = 4


class ProjectRole(IntEnum):
    """A role on a project; a larger one may do more. NONE as an override locks a member out."""

    NONE = 1
    VIEWER = 2
    EDITOR = 3
    ADMIN = 4


class RoleSource(IntEnum):
    NOT_A_MEMBER = 1
    OWNER = 2
    OVERRIDE = 3
    INHERITED = 4
    MEMBER = 5


class Permission(StrEnum):
    """What the RPCs of tenancy.v1 need; a deployment adds its own in permissions.toml."""

    ORGANIZATION_READ = "organization:read"
    ORGANIZATION_UPDATE = "organization:update"
    ORGANIZATION_DELETE = "organization:delete"
    ORGANIZATION_TRANSFER = "organization:transfer"
    AUDIT_READ = "audit:read"
    MEMBERS_READ = "members:read"
    MEMBERS_UPDATE = "members:update"
    MEMBERS_REMOVE = "members:remove"
    MEMBERS_INVITE = "members:invite"
    INVITATIONS_READ = "invitations:read"
    PROJECTS_CREATE = "projects:create"
    PROJECT_READ = "project:read"
    PROJECT_UPDATE = "project:update"
    PROJECT_DELETE = "project:delete"
    PROJECT_MEMBERS_READ = "project_members:read"
    PROJECT_MEMBERS_UPDATE = "project_members:update"


LeastRole = OrgRole | ProjectRole

BUILT_IN: Mapping[str, LeastRole] = {
    Permission.ORGANIZATION_READ: OrgRole.GUEST,
    Permission.ORGANIZATION_UPDATE: OrgRole.ADMIN,
    Permission.ORGANIZATION_DELETE: OrgRole.OWNER,
    Permission.ORGANIZATION_TRANSFER: OrgRole.OWNER,
    Permission.AUDIT_READ: OrgRole.ADMIN,
    Permission.MEMBERS_READ: OrgRole.MEMBER,
    Permission.MEMBERS_UPDATE: OrgRole.ADMIN,
    Permission.MEMBERS_REMOVE: OrgRole.ADMIN,
    Permission.MEMBERS_INVITE: OrgRole.ADMIN,
    Permission.INVITATIONS_READ: OrgRole.ADMIN,
    Permission.PROJECTS_CREATE: OrgRole.ADMIN,
    Permission.PROJECT_READ: ProjectRole.VIEWER,
    Permission.PROJECT_UPDATE: ProjectRole.ADMIN,
    Permission.PROJECT_DELETE: ProjectRole.ADMIN,
    Permission.PROJECT_MEMBERS_READ: ProjectRole.VIEWER,
    Permission.PROJECT_MEMBERS_UPDATE: ProjectRole.ADMIN,
}


class Access(NamedTuple):
    """What somebody is in a place. `project_role` None: only the organization was asked about."""

    organization_role: OrgRole | None
    project_role: ProjectRole | None
    source: RoleSource


def effective_project_role(
    organization_role: OrgRole | None, override: ProjectRole | None, default_project_role: ProjectRole
) -> tuple[ProjectRole, RoleSource]:
    """The role table. Owners cannot be locked out; an override counts in both directions."""
    if organization_role is None:
        return ProjectRole.NONE, RoleSource.NOT_A_MEMBER
    if organization_role is OrgRole.OWNER:
        return ProjectRole.ADMIN, RoleSource.OWNER
    if override is not None:
        return override, RoleSource.OVERRIDE
    inherited = {
        OrgRole.ADMIN: ProjectRole.ADMIN,
        OrgRole.MEMBER: default_project_role,
        OrgRole.GUEST: ProjectRole.NONE,
    }
    return inherited[organization_role], RoleSource.INHERITED


def access(
    organization_role: OrgRole | None,
    override: ProjectRole | None,
    default_project_role: ProjectRole,
    *,
    on_project: bool,
) -> Access:
    """The roles that count in an organization, or on a project of it."""
    if on_project:
        return Access(organization_role, *effective_project_role(organization_role, override, default_project_role))
    source = {None: RoleSource.NOT_A_MEMBER, OrgRole.OWNER: RoleSource.OWNER}.get(organization_role, RoleSource.MEMBER)
    return Access(organization_role, None, source)


def is_allowed(least: LeastRole, access: Access) -> bool:
    """The organization role governs the organization, the effective project role all in the project."""
    role = access.organization_role if isinstance(least, OrgRole) else access.project_role
    return role is not None and role >= least


def held(permissions: Mapping[str, LeastRole], access: Access) -> list[str]:
    """Those permissions, sorted, that hold in the place: of the organization, or of the project if it is one."""
    kind = OrgRole if access.project_role is None else ProjectRole
    return sorted(name for name, least in permissions.items() if isinstance(least, kind) and is_allowed(least, access))


def why(permission: str, least: LeastRole, access: Access) -> str:
    """One line for people: the role that decided, where it comes from, and what was needed."""
    if access.organization_role is None:
        return "not a member of the organization, or there is no such place"
    if access.source is RoleSource.OWNER:
        return "owners may do everything"
    if isinstance(least, OrgRole) or access.project_role is None:
        because = f"{access.organization_role.name} of the organization"
    elif access.source is RoleSource.OVERRIDE:
        because = f"{access.project_role.name}, set on this project"
    else:
        because = f"{access.project_role.name}, inherited as {access.organization_role.name} of the organization"
    return because if is_allowed(least, access) else f"{because}; {permission} needs {least.name}"


def nearest(permission: str, permissions: Mapping[str, LeastRole]) -> str:
    """The defined permission that was most likely meant."""
    return difflib.get_close_matches(permission, permissions, n=1, cutoff=0.0)[0]
