"""Rows and answers as messages."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from protos.tenancy.v1 import roles_pb2
from protos.tenancy.v1.access_pb2 import AccessibleProject, CheckAccessResponse
from protos.tenancy.v1.access_pb2 import Permission as PermissionMessage
from protos.tenancy.v1.invitations_pb2 import Invitation, InvitationState, InvitedProjectRole
from protos.tenancy.v1.organization_members_pb2 import OrganizationMember
from protos.tenancy.v1.organizations_pb2 import Organization
from protos.tenancy.v1.project_members_pb2 import ProjectMember
from protos.tenancy.v1.projects_pb2 import Project
from shared.caller import Caller
from shared.database import Row
from shared.timestamps import optional_timestamp, timestamp
from tenancy_service.check import Answer
from tenancy_service.identity_client import User
from tenancy_service.permissions import (
    BUILT_IN,
    Access,
    LeastRole,
    OrgRole,
    ProjectRole,
    RoleSource,
    access,
    effective_project_role,
    held,
    is_allowed,
    why,
)

# Python's roles carry the contract's numbers, so a message takes them as they are; a test compares all.


def org_role(role: "OrgRole | None") -> Any:
    return role or roles_pb2.ORG_ROLE_UNSPECIFIED


def project_role(role: "ProjectRole | None") -> Any:
    return role or roles_pb2.PROJECT_ROLE_UNSPECIFIED


def etag(row: Row) -> str:
    return str(row.version)


def public_organization(row: Row) -> Organization:
    """As everybody sees it who sees it at all."""
    message = Organization(
        organization_id=str(row.organization_id),
        slug=row.slug,
        display_name=row.display_name,
        default_project_role=project_role(ProjectRole[row.default_project_role]),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag(row),
        delete_time=optional_timestamp(row.delete_time),
        purge_time=optional_timestamp(row.purge_time),
        ownerless=row.ownerless_time is not None,
    )
    if row.public_metadata:
        message.public_metadata.update(row.public_metadata)
    return message


def organization(row: Row, caller: Caller, role: OrgRole | None, permissions: Mapping[str, LeastRole]) -> Organization:
    """As the caller sees it: private metadata is for services without a person. A deleted one grants nothing."""
    message = public_organization(row)
    message.caller_role = org_role(role)
    if caller.person is None:
        if row.private_metadata:
            message.private_metadata.update(row.private_metadata)
    elif row.delete_time is None:
        theirs = access(role, None, ProjectRole[row.default_project_role], on_project=False)
        message.authorized_actions.extend(held(permissions, theirs))
    return message


def organization_member(row: Row, user: User | None = None) -> OrganizationMember:
    """`user` where the membership is read; without one there are no names."""
    return OrganizationMember(
        organization_id=str(row.organization_id),
        user_id=str(row.user_id),
        role=org_role(OrgRole[row.role]),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag(row),
        expire_time=optional_timestamp(row.expire_time),
        email=user.email if user else "",
        display_name=user.display_name if user else "",
    )


def project(row: Row, access: Access | None) -> Project:
    """`access` is what the caller is on it, for it to say so; None for a service without a person, and in events."""
    message = Project(
        project_id=str(row.project_id),
        organization_id=str(row.organization_id),
        slug=row.slug,
        display_name=row.display_name,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag(row),
        caller_role=project_role(access.project_role if access else None),
        delete_time=optional_timestamp(row.delete_time),
        purge_time=optional_timestamp(row.purge_time),
    )
    if row.public_metadata:
        message.public_metadata.update(row.public_metadata)
    return message


def project_for_caller(row: Row, access: Access | None, permissions: Mapping[str, LeastRole]) -> Project:
    """With what they may do there, or for a service without a person the private metadata."""
    message = project(row, access)
    if access is None and row.private_metadata:
        message.private_metadata.update(row.private_metadata)
    if access is not None and row.delete_time is None:
        message.authorized_actions.extend(held(permissions, access))
    return message


def project_member(
    project: Row, user_id: object, access: Access, override: Row | None, user: User | None = None
) -> ProjectMember:
    """`override` is a row with what was set, if anything was; it shows only where it decides."""
    set_here = override if access.source is RoleSource.OVERRIDE else None
    return ProjectMember(
        project_id=str(project.project_id),
        organization_id=str(project.organization_id),
        user_id=str(user_id),
        role=project_role(access.project_role),
        source=_source(access.source),
        inherited_from_org=access.source is not RoleSource.OVERRIDE,
        organization_role=org_role(access.organization_role),
        update_time=timestamp(set_here.update_time) if set_here else None,
        expire_time=optional_timestamp(set_here.expire_time) if set_here else None,
        set_by_user_id=str(set_here.set_by_user_id or "") if set_here else "",
        set_by_service=(set_here.set_by_service or "") if set_here else "",
        email=user.email if user else "",
        display_name=user.display_name if user else "",
    )


def invitation(row: Row, *, to_recipient: bool = False) -> Invitation:
    """`row` is one of queries.invitations. Who accepted it is for those who may read the members."""
    return Invitation(
        invitation_id=str(row.invitation_id),
        organization_id=str(row.organization_id),
        email=row.email,
        role=org_role(OrgRole[row.role]),
        project_roles=[
            InvitedProjectRole(project_id=project_id, role=project_role(ProjectRole[role]))
            for project_id, role in (row.project_roles or {}).items()
        ],
        state=InvitationState.Value(f"INVITATION_STATE_{row.state}"),
        inviter_user_id=str(row.inviter_user_id or ""),
        inviter_service=row.inviter_service or "",
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        expire_time=timestamp(row.expire_time),
        etag=etag(row),
        organization_slug=row.organization_slug,
        organization_display_name=row.organization_display_name,
        accepted_user_id="" if to_recipient else str(row.accepted_user_id or ""),
    )


def check_access(into: CheckAccessResponse, permission: str, least: LeastRole, answer: Answer) -> None:
    """The decision and what it rests on. Copied in place, which costs a quarter of making it anew."""
    if answer.access is None:
        raise TypeError("an answer about access needs a place")
    into.CopyFrom(_decision(permission, least, answer.access))
    into.user_id = answer.user_id


@cache  # as many as there are permissions and combinations of roles
def _decision(permission: str, least: LeastRole, access: Access) -> CheckAccessResponse:
    return CheckAccessResponse(
        allowed=is_allowed(least, access),
        organization_role=org_role(access.organization_role),
        project_role=project_role(access.project_role),
        source=_source(access.source),
        reason=why(permission, least, access),
    )


def accessible_project(row: Row) -> AccessibleProject:
    """`row` has the organization role, its default project role and the override, which decide."""
    role, source = effective_project_role(
        OrgRole[row.organization_role],
        ProjectRole[row.override] if row.override else None,
        ProjectRole[row.default_project_role],
    )
    return AccessibleProject(
        project_id=str(row.project_id),
        organization_id=str(row.organization_id),
        slug=row.slug,
        display_name=row.display_name,
        role=project_role(role),
        source=_source(source),
    )


def permission(name: str, least: LeastRole) -> PermissionMessage:
    message = PermissionMessage(permission=name, built_in=name in BUILT_IN)
    if isinstance(least, OrgRole):
        message.organization_role = org_role(least)
    else:
        message.project_role = project_role(least)
    return message


def _source(source: RoleSource) -> Any:
    return source
