"""Why somebody may or may not: the path to the answer, as data and as one sentence. Pure functions, no I/O."""

from datetime import datetime
from typing import NamedTuple

from tenancy_service.permissions import Access, LeastRole, OrgRole, ProjectRole, RoleSource, access, is_allowed


class Membership(NamedTuple):
    """What somebody is in the organization, and what it gives its members on projects."""

    role: OrgRole
    organization_slug: str
    default_project_role: ProjectRole
    expire_time: datetime | None = None


class Override(NamedTuple):
    """What was set on the project; `set_by` as people are to read it, empty where nobody knows."""

    role: ProjectRole
    project_slug: str
    set_by: str = ""
    set_time: datetime | None = None
    expire_time: datetime | None = None


class Explanation(NamedTuple):
    """What decided, first to last, None where it did not count; `inherited` is what the organization role gives."""

    access: Access
    membership: Membership | None
    inherited: ProjectRole | None
    override: Override | None
    is_allowed: bool
    # The least role that would allow it; None if it is allowed, or no role is of use without a membership.
    needed: LeastRole | None
    sentence: str


def explain(
    permission: str, least: LeastRole, membership: Membership | None, override: Override | None, *, on_project: bool
) -> Explanation:
    """The answer of CheckAccess. Without a membership nothing is named: it sounds like a place that is not there."""
    if membership is None:
        nobody = access(None, None, ProjectRole.NONE, on_project=on_project)
        sentence = f"not a member of the organization, or there is no such place; {permission} needs {least.name}"
        return Explanation(nobody, None, None, None, False, None, f"{sentence}: not allowed")
    role, default = membership.role, membership.default_project_role
    found = access(role, override.role if override else None, default, on_project=on_project)
    allowed = is_allowed(least, found)
    path = [f"{role.name} of {membership.organization_slug}{_until(membership.expire_time)}"]
    inherited = None
    needed_in = f" of {membership.organization_slug}"
    if isinstance(least, ProjectRole):
        inherited = access(role, None, default, on_project=True).project_role
        path.append(_gives(membership))
        needed_in = ""
    # An organization permission is not decided on the project, nor an owner's by what is set there.
    counts = override if inherited is not None and found.source is RoleSource.OVERRIDE else None
    if counts is not None:
        path.append(_overridden(counts))
    path.append(f"{permission} needs {least.name}{needed_in}: {'allowed' if allowed else 'not allowed'}")
    return Explanation(found, membership, inherited, counts, allowed, None if allowed else least, "; ".join(path))


def _gives(membership: Membership) -> str:
    return {
        OrgRole.OWNER: "owners are ADMIN on every project",
        OrgRole.ADMIN: "admins are ADMIN on projects",
        OrgRole.MEMBER: f"{membership.organization_slug} gives members {membership.default_project_role.name}",
        OrgRole.GUEST: "guests have no role on projects",
    }[membership.role]


def _overridden(override: Override) -> str:
    by = f" by {override.set_by}" if override.set_by else ""
    on = f" on {override.set_time:%Y-%m-%d}" if override.set_time else ""
    return f"overridden to {override.role.name} on {override.project_slug}{by}{on}{_until(override.expire_time)}"


def _until(expire_time: datetime | None) -> str:
    return f" until {expire_time:%Y-%m-%d %H:%M %Z}" if expire_time else ""
