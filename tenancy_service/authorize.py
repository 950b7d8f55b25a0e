"""Raise unless the caller holds a permission, by the roles in the handler's own transaction.

A service that the access policy let in without a person passes; where there is a person, they decide.
"""

from typing import NamedTuple
from uuid import UUID

from shared.caller import Caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.reasons import Reason
from tenancy_service.permissions import BUILT_IN, Access, OrgRole, Permission, ProjectRole, access, is_allowed
from tenancy_service.queries import organization_members, organizations, project_members, projects


class OnProject(NamedTuple):
    """A project, and what the caller is there; None for a service without a person."""

    project: Row
    access: Access | None


async def organization(tx: Tx, caller: Caller, organization_id: UUID, permission: Permission) -> OrgRole | None:
    """The caller's organization role; None for a service without a person."""
    if caller.person is None:
        if await organizations.get_organization(tx, organization_id=organization_id) is None:
            raise ServiceError(Reason.PERMISSION_DENIED)
        return None
    member = await organization_members.get_member(tx, organization_id=organization_id, user_id=caller.user_id)
    if member is None or OrgRole[member.role] < BUILT_IN[permission]:
        raise ServiceError(Reason.PERMISSION_DENIED)  # outsiders must not learn which ids exist
    return OrgRole[member.role]


async def locked_organization(tx: Tx, caller: Caller, organization_id: UUID, permission: Permission) -> OrgRole | None:
    """The same, true until commit, because the organization is locked first."""
    await lock_organization(tx, caller, organization_id)
    return await organization(tx, caller, organization_id, permission)


async def project(
    tx: Tx, caller: Caller, project_id: UUID, permission: Permission, *, even_deleted: bool = False
) -> OnProject:
    """`even_deleted`: as it would be without its deletion."""
    get = projects.get_project_even_deleted if even_deleted else projects.get_project
    row = await get(tx, project_id=project_id)
    if row is None:
        raise ServiceError(Reason.PERMISSION_DENIED)
    if caller.person is None:
        return OnProject(row, None)
    theirs = await access_on_project(tx, row, caller.user_id)
    if not is_allowed(BUILT_IN[permission], theirs):
        raise ServiceError(Reason.PERMISSION_DENIED)
    return OnProject(row, theirs)


async def locked_project(
    tx: Tx,
    caller: Caller,
    project_id: UUID,
    permission: Permission,
    *,
    shared: bool = False,
    even_deleted: bool = False,
) -> OnProject:
    """The same, true until commit, because its organization is locked; `shared` as in lock_organization."""
    seen = await project(tx, caller, project_id, permission, even_deleted=even_deleted)
    await lock_organization(tx, caller, seen.project.organization_id, shared=shared)
    return await project(tx, caller, project_id, permission, even_deleted=even_deleted)


async def access_on_project(tx: Tx, project: Row, user_id: UUID) -> Access:
    """What a user is on a project; `project` is a row of queries.projects.get_project."""
    member = await organization_members.get_member(tx, organization_id=project.organization_id, user_id=user_id)
    override = await project_members.get_override(
        tx, organization_id=project.organization_id, project_id=project.project_id, user_id=user_id
    )
    return access(
        OrgRole[member.role] if member else None,
        ProjectRole[override.role] if override and override.role else None,
        ProjectRole[project.default_project_role],
        on_project=True,
    )


async def lock_organization(tx: Tx, caller: Caller, organization_id: UUID, *, shared: bool = False) -> None:
    """Before roles are read that are about to be changed: no other change of them can come between.

    `shared` for what changes none of them and must only find them as they are: such calls do not wait for each other.
    """
    member = caller.person.user_id if caller.person else None
    if not await organizations.lock_organization(tx, organization_id=organization_id, member=member, shared=shared):
        raise ServiceError(Reason.PERMISSION_DENIED)


def refuse_above(caller_role: OrgRole | ProjectRole | None, *roles: OrgRole | ProjectRole) -> None:
    """Nobody grants, changes or removes a role above their own. None: a service, which may."""
    for role in roles:
        if caller_role is not None and role > caller_role:
            raise ServiceError(Reason.ROLE_ABOVE_CALLER, role=role.name)
