"""tenancy.v1.ProjectService."""

from uuid_utils.compat import uuid7

from protos.tenancy.v1 import projects_pb2 as pb
from shared.caller import current_caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import reading
from shared.interceptors import Context
from shared.pages import Pages
from shared.reasons import Reason
from tenancy_service import authorize, to_proto
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole, Permission, ProjectRole, effective_project_role
from tenancy_service.queries import organizations, projects

UPDATABLE = ("slug", "display_name")


class ProjectPlaces(Handlers):
    async def CreateProject(self, request: pb.CreateProjectRequest, context: Context) -> pb.CreateProjectResponse:
        caller = current_caller()
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            slug = read.slug("slug", request.slug)
            display_name = read.name("display_name", request.display_name) or slug
            request_id = read.optional_uuid("request_id", request.request_id)

        async def create(tx: Tx) -> pb.CreateProjectResponse:
            await authorize.organization(tx, caller, organization_id, Permission.PROJECTS_CREATE)
            row = await projects.insert_project(
                tx, organization_id=organization_id, project_id=uuid7(), slug=slug, display_name=display_name
            )
            # Whoever may create projects is ADMIN or OWNER, and nobody has an override on a new one.
            return pb.CreateProjectResponse(project=to_proto.project(row, ProjectRole.ADMIN))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.CreateProjectResponse, create
        )

    async def GetProject(self, request: pb.GetProjectRequest, context: Context) -> pb.GetProjectResponse:
        with reading() as read:
            project_id = read.uuid("project_id", request.project_id)
        async with self.parts.database.transaction() as tx:
            found = await authorize.project(tx, current_caller(), project_id, Permission.PROJECT_READ)
        return pb.GetProjectResponse(project=to_proto.project(found.project, _role(found)))

    async def ListProjects(self, request: pb.ListProjectsRequest, context: Context) -> pb.ListProjectsResponse:
        caller = current_caller()
        pages = Pages(caller, "ListProjects", request.organization_id)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            size = read.page_size("page_size", request.page_size)
        after = pages.last_id(request.page_token)
        async with self.parts.database.transaction() as tx:
            role = await authorize.organization(tx, caller, organization_id, Permission.ORGANIZATION_READ)
            organization = await organizations.get_organization(tx, organization_id=organization_id)
            if organization is None:  # deleted between the two statements
                raise ServiceError(Reason.PERMISSION_DENIED)
            default = ProjectRole[organization.default_project_role]
            if role in (None, OrgRole.OWNER):
                rows = await projects.list_all_projects(
                    tx, organization_id=organization_id, after=after, limit=size + 1
                )
            else:
                inherited, _ = effective_project_role(role, None, default)
                rows = await projects.list_projects_of_user(
                    tx,
                    organization_id=organization_id,
                    user_id=caller.user_id,
                    sees_inherited=inherited is not ProjectRole.NONE,
                    after=after,
                    limit=size + 1,
                )
        return pb.ListProjectsResponse(
            projects=[to_proto.project(row, _caller_role(role, row, default)) for row in rows[:size]],
            next_page_token=pages.token(rows[size - 1].project_id) if len(rows) > size else "",
        )

    async def UpdateProject(self, request: pb.UpdateProjectRequest, context: Context) -> pb.UpdateProjectResponse:
        wanted = request.project
        with reading() as read:
            project_id = read.uuid("project.project_id", wanted.project_id)
            etag = read.etag("project.etag", wanted.etag)
            paths = read.mask("update_mask", request.update_mask, wanted, UPDATABLE)
            values = {}
            if "slug" in paths:
                values["slug"] = read.slug("project.slug", wanted.slug)
            if "display_name" in paths:
                values["display_name"] = read.name("project.display_name", wanted.display_name, least=1)
        async with self.parts.database.transaction() as tx:
            found = await authorize.project(tx, current_caller(), project_id, Permission.PROJECT_UPDATE)
            row = await projects.update_project(
                tx,
                organization_id=found.project.organization_id,
                project_id=project_id,
                values=values,
                etag=etag,
            )
            if row is None:
                raise ServiceError(Reason.ETAG_MISMATCH)
        return pb.UpdateProjectResponse(project=to_proto.project(row, _role(found)))


def _role(found: authorize.OnProject) -> ProjectRole | None:
    return found.access.project_role if found.access else None


def _caller_role(role: OrgRole | None, row: Row, default: ProjectRole) -> ProjectRole | None:
    if role is None:
        return None
    return effective_project_role(role, ProjectRole[row.override] if row.override else None, default)[0]
