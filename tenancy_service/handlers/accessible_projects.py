"""tenancy.v1.AccessService: where somebody has a role."""

from protos.tenancy.v1 import access_pb2 as pb
from shared.call import Context
from shared.caller import current_caller
from shared.errors import ServiceError
from shared.fields import Fields, reading
from shared.pages import Pages
from shared.reasons import Reason
from tenancy_service import to_proto
from tenancy_service.handlers.access import MAX_PERMISSION, least_role
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole, ProjectRole, effective_project_role
from tenancy_service.queries.accessible_projects import list_accessible_projects

SEEING = [(role.name, role.value) for role in ProjectRole if role is not ProjectRole.NONE]


class AccessibleProjects(Handlers):
    async def ListAccessibleProjects(
        self, request: pb.ListAccessibleProjectsRequest, context: Context
    ) -> pb.ListAccessibleProjectsResponse:
        caller = current_caller()
        asked = (request.organization_id, request.user_id, request.least_role, request.permission)
        pages = Pages(caller, "ListAccessibleProjects", *asked)
        with reading() as read:
            size = read.page_size("page_size", request.page_size)
            organization_id = read.optional_uuid("organization_id", request.organization_id)
            user_id = read.optional_uuid("user_id", request.user_id)
            if user_id is None and caller.person is None:
                read.wrong("user_id", "needed, as no session says who")
            least = self._least(read, request)
        if caller.person is not None and user_id not in (None, caller.user_id):
            raise ServiceError(Reason.PERMISSION_DENIED)
        after = pages.last_ids(request.page_token)
        async with self.parts.database.single_read() as tx:
            rows = await list_accessible_projects(
                tx,
                user_id=user_id or caller.user_id,
                organization_id=organization_id,
                inheriting=inheriting(least),
                enough=[role.name for role in ProjectRole if role >= least],
                after=after,
                limit=size + 1,
            )
        last = rows[size - 1] if len(rows) > size else None
        return pb.ListAccessibleProjectsResponse(
            projects=[to_proto.accessible_project(row) for row in rows[:size]],
            next_page_token=pages.token(last.organization_id, last.project_id) if last else "",
        )

    def _least(self, read: Fields, request: pb.ListAccessibleProjectsRequest) -> ProjectRole:
        """What both fields ask for together; VIEWER if neither does."""
        least = ProjectRole.VIEWER
        if request.least_role:
            least = ProjectRole[read.enum("least_role", request.least_role, SEEING) or least.name]
        if len(request.permission) > MAX_PERMISSION:
            read.wrong("permission", f"longer than {MAX_PERMISSION} characters")
        elif request.permission:
            needed = least_role(self.parts.settings.permissions, request.permission)
            if isinstance(needed, OrgRole):
                read.wrong("permission", "a permission that is held on projects is needed")
            else:
                least = max(least, needed)
        return least


def inheriting(least: ProjectRole) -> list[tuple[str, str]]:
    """The pairs of organization role and its default project role that give at least that without an override."""
    return [
        (role.name, default.name)
        for role in OrgRole
        for default in ProjectRole
        if effective_project_role(role, None, default)[0] >= least
    ]
