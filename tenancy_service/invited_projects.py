"""The roles on projects that an invitation carries: read, checked as SetProjectRole does, and given on acceptance."""

from collections.abc import Mapping
from uuid import UUID

from protos.tenancy.v1 import roles_pb2
from protos.tenancy.v1.invitations_pb2 import CreateInvitationRequest
from shared.caller import Caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import Fields
from shared.origin import Origin
from shared.reasons import Reason
from tenancy_service import audit, authorize, publish
from tenancy_service.audit import Action
from tenancy_service.permissions import BUILT_IN, OrgRole, Permission, ProjectRole, access, is_allowed
from tenancy_service.queries import invited_roles

ROLES = [(role.name, role.value) for role in ProjectRole]
MOST = 100


def read(fields: Fields, request: CreateInvitationRequest) -> dict[UUID, str]:
    """Roles by the project's id."""
    given = request.project_roles
    if len(given) > MOST:
        fields.wrong("project_roles", f"{len(given)} items, at most {MOST}")
        return {}
    if given and request.role == roles_pb2.ORG_ROLE_OWNER:
        fields.wrong("project_roles", "none are allowed with OWNER, who is ADMIN on every project")
    roles: dict[UUID, str] = {}
    for n, each in enumerate(given):
        path = f"project_roles[{n}]"
        project_id = fields.uuid(f"{path}.project_id", each.project_id)
        if project_id in roles:
            fields.wrong(f"{path}.project_id", "a project that stands before it already")
        roles[project_id] = fields.enum(f"{path}.role", each.role, ROLES)
    return roles


async def refuse_above(
    tx: Tx, caller: Caller, caller_role: OrgRole | None, organization_id: UUID, project_roles: Mapping[UUID, str]
) -> None:
    """PERMISSION_DENIED, ROLE_ABOVE_CALLER. `caller_role` None: a service, for which the projects must be there."""
    if not project_roles:
        return
    user_id = caller.person.user_id if caller.person else None
    rows = await invited_roles.list_projects_as_seen(
        tx, organization_id=organization_id, user_id=user_id, project_ids=project_roles.keys()
    )
    if len(rows) < len(project_roles):
        raise ServiceError(Reason.PERMISSION_DENIED)
    if caller_role is None:
        return
    for row in rows:
        override = ProjectRole[row.override] if row.override else None
        theirs = access(caller_role, override, ProjectRole[row.default_project_role], on_project=True)
        if not is_allowed(BUILT_IN[Permission.PROJECT_MEMBERS_UPDATE], theirs):
            raise ServiceError(Reason.PERMISSION_DENIED)
        authorize.refuse_above(theirs.project_role, ProjectRole[project_roles[row.project_id]])


async def give(tx: Tx, origin: Origin, invitation: Row, user_id: UUID) -> None:
    """To a new member; what is deleted by now is left out."""
    overrides = await invited_roles.insert_invited_overrides(
        tx, organization_id=invitation.organization_id, invitation_id=invitation.invitation_id, user_id=user_id
    )
    by_project = {override.project_id: override for override in overrides}
    rows = await invited_roles.list_projects_as_seen(
        tx, organization_id=invitation.organization_id, user_id=user_id, project_ids=by_project.keys()
    )
    for row in rows:
        role = ProjectRole[row.override]
        theirs = access(OrgRole[invitation.role], role, ProjectRole[row.default_project_role], on_project=True)
        await audit.record(
            tx,
            origin,
            Action.PROJECT_ROLE_SET,
            row.organization_id,
            project_id=row.project_id,
            target_user_id=user_id,
            after=role.name,
        )
        await publish.project_role_set(tx, row, by_project[row.project_id], theirs)
