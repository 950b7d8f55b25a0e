"""tenancy.v1.ProjectMemberService."""

from uuid import UUID

from protos.tenancy.v1 import project_members_pb2 as pb
from shared.caller import current_caller
from shared.database import Tx
from shared.errors import ServiceError
from shared.fields import reading
from shared.interceptors import Context
from shared.pages import Pages
from shared.reasons import Reason
from tenancy_service import authorize, to_proto
from tenancy_service.authorize import OnProject
from tenancy_service.parts import Handlers
from tenancy_service.permissions import (
    Access,
    OrgRole,
    Permission,
    ProjectRole,
    access,
    effective_project_role,
)  # fmt: skip
from tenancy_service.queries import project_members

PROJECT_ROLES = [(role.name, role.value) for role in ProjectRole]


class ProjectRoles(Handlers):
    async def ListProjectMembers(
        self, request: pb.ListProjectMembersRequest, context: Context
    ) -> pb.ListProjectMembersResponse:
        pages = Pages(current_caller(), "ListProjectMembers", request.project_id)
        with reading() as read:
            project_id = read.uuid("project_id", request.project_id)
            size = read.page_size("page_size", request.page_size)
        after = pages.last_id(request.page_token)
        async with self.parts.database.transaction() as tx:
            found = await authorize.project(tx, current_caller(), project_id, Permission.PROJECT_MEMBERS_READ)
            default = ProjectRole[found.project.default_project_role]
            rows = await project_members.list_project_members(
                tx,
                organization_id=found.project.organization_id,
                project_id=project_id,
                inheriting_roles=_inheriting_roles(default),
                after=after,
                limit=size + 1,
            )
        members = []
        for row in rows[:size]:
            override = ProjectRole[row.override] if row.override else None
            theirs = access(OrgRole[row.organization_role], override, default, on_project=True)
            members.append(to_proto.project_member(found.project, row.user_id, theirs, row))
        return pb.ListProjectMembersResponse(
            members=members,
            next_page_token=pages.token(rows[size - 1].user_id) if len(rows) > size else "",
        )

    async def SetProjectRole(self, request: pb.SetProjectRoleRequest, context: Context) -> pb.SetProjectRoleResponse:
        with reading() as read:
            project_id = read.uuid("project_id", request.project_id)
            user_id = read.uuid("user_id", request.user_id)
            role = read.enum("role", request.role, PROJECT_ROLES)
        async with self.parts.database.transaction() as tx:
            found, before = await self._about_to_change(tx, project_id, user_id)
            if before.organization_role is OrgRole.OWNER:
                raise ServiceError(Reason.OWNER_NOT_OVERRIDABLE)
            _refuse_above(found, before.project_role, ProjectRole[role])
            row = await project_members.upsert_override(
                tx, organization_id=found.project.organization_id, project_id=project_id, user_id=user_id, role=role
            )
        after = Access(before.organization_role, *effective_project_role(
            before.organization_role, ProjectRole[role], ProjectRole[found.project.default_project_role]
        ))  # fmt: skip
        return pb.SetProjectRoleResponse(member=to_proto.project_member(found.project, user_id, after, row))

    async def ClearProjectRole(
        self, request: pb.ClearProjectRoleRequest, context: Context
    ) -> pb.ClearProjectRoleResponse:
        with reading() as read:
            project_id = read.uuid("project_id", request.project_id)
            user_id = read.uuid("user_id", request.user_id)
        async with self.parts.database.transaction() as tx:
            found, before = await self._about_to_change(tx, project_id, user_id)
            after = access(
                before.organization_role, None, ProjectRole[found.project.default_project_role], on_project=True
            )
            _refuse_above(found, before.project_role, after.project_role)
            await project_members.delete_override(
                tx, organization_id=found.project.organization_id, project_id=project_id, user_id=user_id
            )
        return pb.ClearProjectRoleResponse(member=to_proto.project_member(found.project, user_id, after, None))

    async def _about_to_change(self, tx: Tx, project_id: UUID, user_id: UUID) -> tuple[OnProject, Access]:
        """The project as the caller sees it, and the member's access to it, both under the organization's lock."""
        caller = current_caller()
        needed = Permission.PROJECT_MEMBERS_UPDATE
        seen = await authorize.project(tx, caller, project_id, needed)
        await authorize.lock_organization(tx, caller, seen.project.organization_id)
        found = await authorize.project(tx, caller, project_id, needed)  # anew: it may have changed before the lock
        member = await authorize.access_on_project(tx, found.project, user_id)
        if member.organization_role is None:
            raise ServiceError(Reason.MEMBER_NOT_FOUND)
        return found, member


def _inheriting_roles(default: ProjectRole) -> list[str]:
    """The organization roles that have a role on a project without an override."""
    return [role.name for role in OrgRole if effective_project_role(role, None, default)[0] is not ProjectRole.NONE]


def _refuse_above(found: OnProject, *roles: ProjectRole | None) -> None:
    caller_role = found.access.project_role if found.access else None
    authorize.refuse_above(caller_role, *(role for role in roles if role is not None))
