"""tenancy.v1.ProjectMemberService: roles set on a project, and inherited again."""

from uuid import UUID

from protos.tenancy.v1 import project_members_pb2 as pb
from shared.call import Context
from shared.caller import current_caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import reading
from shared.reasons import Reason
from tenancy_service import audit, authorize, expiry, publish, to_proto
from tenancy_service.audit import Action
from tenancy_service.authorize import OnProject
from tenancy_service.parts import Handlers
from tenancy_service.permissions import Access, OrgRole, Permission, ProjectRole, RoleSource, access
from tenancy_service.previews import Scope
from tenancy_service.queries import project_members

PROJECT_ROLES = [(role.name, role.value) for role in ProjectRole]
NEEDED = Permission.PROJECT_MEMBERS_UPDATE


class ProjectRoles(Handlers):
    async def SetProjectRole(self, request: pb.SetProjectRoleRequest, context: Context) -> pb.SetProjectRoleResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            project_id = read.uuid("project_id", request.project_id)
            user_id = read.uuid("user_id", request.user_id)
            role = read.enum("role", request.role, PROJECT_ROLES)
            expire_time = read.optional_time("expire_time", request)
            request_id = read.optional_uuid("request_id", request.request_id)
        new = {
            "role": role,
            "expire_time": expire_time,
            "set_by_user_id": caller.person.user_id if caller.person else None,
            "set_by_service": None if caller.person else caller.service,
        }

        async def set_role(tx: Tx) -> pb.SetProjectRoleResponse:
            found = await authorize.locked_project(tx, caller, project_id, NEEDED)
            project, organization_id = found.project, found.project.organization_id
            member = await member_of(tx, project, user_id)
            before = access_of(member, project)
            if before.source is RoleSource.OWNER:
                raise ServiceError(Reason.OWNER_NOT_OVERRIDABLE)
            _refuse_above(found, before.project_role, ProjectRole[role])
            expiry.refuse_prolonging(caller, user_id, ProjectRole[role], member.expire_time, expire_time)
            await expiry.refuse_past(tx, expire_time)
            row = await project_members.upsert_override(
                tx, organization_id=organization_id, project_id=project_id, user_id=user_id, values=new
            )
            after = Access(before.organization_role, ProjectRole[role], RoleSource.OVERRIDE)
            await audit.record(
                tx,
                origin,
                Action.PROJECT_ROLE_SET,
                organization_id,
                project_id=project_id,
                target_user_id=user_id,
                before=_name(before),
                after=role,
                expire_time=expire_time,
            )
            await publish.project_role_set(tx, project, row, after)
            return pb.SetProjectRoleResponse(member=to_proto.project_member(project, user_id, after, row))

        if request.validate_only:
            return await self.parts.previews.of(set_role, lambda tx: _scope(tx, project_id, user_id))
        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.SetProjectRoleResponse, set_role
        )

    async def ClearProjectRole(
        self, request: pb.ClearProjectRoleRequest, context: Context
    ) -> pb.ClearProjectRoleResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            project_id = read.uuid("project_id", request.project_id)
            user_id = read.uuid("user_id", request.user_id)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def clear(tx: Tx) -> pb.ClearProjectRoleResponse:
            found = await authorize.locked_project(tx, caller, project_id, NEEDED)
            project, organization_id = found.project, found.project.organization_id
            before = access_of(await member_of(tx, project, user_id), project)
            after = access(before.organization_role, None, ProjectRole[project.default_project_role], on_project=True)
            _refuse_above(found, before.project_role, after.project_role)
            was_there = await project_members.delete_override(
                tx, organization_id=organization_id, project_id=project_id, user_id=user_id
            )
            if was_there:
                await audit.record(
                    tx,
                    origin,
                    Action.PROJECT_ROLE_CLEARED,
                    organization_id,
                    project_id=project_id,
                    target_user_id=user_id,
                    before=_name(before),
                    after=_name(after),
                )
                await publish.project_role_cleared(tx, project, user_id)
            return pb.ClearProjectRoleResponse(member=to_proto.project_member(project, user_id, after, None))

        if request.validate_only:
            return await self.parts.previews.of(clear, lambda tx: _scope(tx, project_id, user_id))
        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.ClearProjectRoleResponse, clear
        )


async def member_of(tx: Tx, project: Row, user_id: UUID) -> Row:
    """A member of the project's organization, with their override if one is in force. MEMBER_NOT_FOUND."""
    row = await project_members.get_project_member(
        tx, organization_id=project.organization_id, project_id=project.project_id, user_id=user_id
    )
    if row is None:
        raise ServiceError(Reason.MEMBER_NOT_FOUND)
    return row


def access_of(member: Row, project: Row) -> Access:
    """What such a member is on the project."""
    override = ProjectRole[member.override] if member.override else None
    default = ProjectRole[project.default_project_role]
    return access(OrgRole[member.organization_role], override, default, on_project=True)


async def _scope(tx: Tx, project_id: UUID, user_id: UUID) -> Scope:
    found = await authorize.locked_project(tx, current_caller(), project_id, NEEDED)
    return Scope(found.project.organization_id, user_ids=(user_id,), project_id=project_id)


def _refuse_above(found: OnProject, *roles: ProjectRole | None) -> None:
    caller_role = found.access.project_role if found.access else None
    authorize.refuse_above(caller_role, *(role for role in roles if role is not None))


def _name(access: Access) -> str:
    return (access.project_role or ProjectRole.NONE).name
