"""tenancy.v1.ProjectMemberService: reading who is what on a project. Names and addresses are identity's."""

from protos.tenancy.v1 import project_members_pb2 as pb
from shared.call import Context
from shared.caller import current_caller
from shared.fields import reading
from shared.pages import Pages
from tenancy_service import authorize, to_proto
from tenancy_service.handlers.project_members import access_of, member_of
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole, Permission, ProjectRole, effective_project_role
from tenancy_service.queries import project_members


class ProjectMemberLists(Handlers):
    async def GetProjectMember(
        self, request: pb.GetProjectMemberRequest, context: Context
    ) -> pb.GetProjectMemberResponse:
        caller = current_caller()
        with reading() as read:
            project_id = read.uuid("project_id", request.project_id)
            user_id = read.uuid("user_id", request.user_id)
        needed = Permission.PROJECT_READ if caller.is_user(user_id) else Permission.PROJECT_MEMBERS_READ
        async with self.parts.database.transaction() as tx:
            project = (await authorize.project(tx, caller, project_id, needed)).project
            row = await member_of(tx, project, user_id)
        users = await self.parts.identity.users([user_id])
        member = to_proto.project_member(project, user_id, access_of(row, project), row, users.get(user_id))
        return pb.GetProjectMemberResponse(member=member)

    async def ListProjectMembers(
        self, request: pb.ListProjectMembersRequest, context: Context
    ) -> pb.ListProjectMembersResponse:
        caller = current_caller()
        pages = Pages(caller, "ListProjectMembers", request.project_id)
        with reading() as read:
            project_id = read.uuid("project_id", request.project_id)
            size = read.page_size("page_size", request.page_size)
        after = pages.last_id(request.page_token)
        async with self.parts.database.transaction() as tx:
            project = (await authorize.project(tx, caller, project_id, Permission.PROJECT_MEMBERS_READ)).project
            rows = await project_members.list_project_members(
                tx,
                organization_id=project.organization_id,
                project_id=project_id,
                inheriting_roles=_inheriting_roles(ProjectRole[project.default_project_role]),
                after=after,
                limit=size + 1,
            )
        shown = rows[:size]
        users = await self.parts.identity.users([row.user_id for row in shown])
        return pb.ListProjectMembersResponse(
            members=[
                to_proto.project_member(project, row.user_id, access_of(row, project), row, users.get(row.user_id))
                for row in shown
            ],
            next_page_token=pages.token(shown[-1].user_id) if len(rows) > size else "",
        )


def _inheriting_roles(default: ProjectRole) -> list[str]:
    """The organization roles that have a role on a project without an override."""
    return [role.name for role in OrgRole if effective_project_role(role, None, default)[0] is not ProjectRole.NONE]
