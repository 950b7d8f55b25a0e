"""tenancy.v1.ProjectService: making projects, reading and changing them."""

from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from protos.tenancy.v1 import projects_pb2 as pb
from shared.call import Context
from shared.caller import current_caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import Fields, reading
from shared.pages import Pages, that_fit
from shared.reasons import Reason
from tenancy_service import audit, authorize, publish, quotas, to_proto
from tenancy_service.audit import Action
from tenancy_service.parts import Handlers
from tenancy_service.permissions import BUILT_IN, Access, OrgRole, Permission, ProjectRole, access
from tenancy_service.queries import organizations, projects

BY_PERSON = ("slug", "display_name", "public_metadata")
BY_SERVICE = ("public_metadata", "private_metadata")
MAY_UNDELETE = tuple(role.name for role in ProjectRole if role >= BUILT_IN[Permission.PROJECT_DELETE])


class ProjectPlaces(Handlers):
    async def CreateProject(self, request: pb.CreateProjectRequest, context: Context) -> pb.CreateProjectResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            slug = read.slug("slug", request.slug)
            display_name = read.name("display_name", request.display_name) or slug
            public_metadata = read.metadata("public_metadata", request.public_metadata)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def create(tx: Tx) -> pb.CreateProjectResponse:
            role = await authorize.locked_organization(tx, caller, organization_id, Permission.PROJECTS_CREATE)
            await quotas.one_more_project(tx, self.parts.settings, organization_id)
            row = await projects.insert_project(
                tx,
                organization_id=organization_id,
                project_id=uuid7(),
                slug=slug,
                display_name=display_name,
                public_metadata=public_metadata,
            )
            await audit.record(
                tx, origin, Action.PROJECT_CREATED, organization_id, project_id=row.project_id, slug=slug
            )
            await publish.project_changed(tx, "PROJECT_CREATED", row)
            # MEMBERs may not create, so the default role does not matter, and nobody has an override on a new one.
            theirs = access(role, None, ProjectRole.NONE, on_project=True) if role else None
            return pb.CreateProjectResponse(project=self._message(row, theirs))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.CreateProjectResponse, create
        )

    async def GetProject(self, request: pb.GetProjectRequest, context: Context) -> pb.GetProjectResponse:
        by_id = bool(request.project_id)
        organization_id, slug = None, ""
        with reading() as read:
            project_id: UUID | None = None
            if by_id:
                project_id = read.uuid("project_id", request.project_id)
                if request.organization_id or request.slug:
                    read.wrong("project_id", "either this, or organization_id and slug")
            else:
                organization_id = read.uuid("organization_id", request.organization_id)
                slug = read.slug("slug", request.slug)
        async with self.parts.database.transaction() as tx:
            if organization_id is not None:
                project_id = await projects.get_project_id(tx, organization_id=organization_id, slug=slug)
            if project_id is None:
                raise ServiceError(Reason.PERMISSION_DENIED)
            found = await authorize.project(tx, current_caller(), project_id, Permission.PROJECT_READ)
        return pb.GetProjectResponse(project=self._message(found.project, found.access))

    async def ListProjects(self, request: pb.ListProjectsRequest, context: Context) -> pb.ListProjectsResponse:
        caller = current_caller()
        pages = Pages(caller, "ListProjects", request.organization_id, request.show_deleted)
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
                    tx,
                    organization_id=organization_id,
                    with_deleted=request.show_deleted,
                    after=after,
                    limit=size + 1,
                )
            else:
                inherited = access(role, None, default, on_project=True).project_role or ProjectRole.NONE
                rows = await projects.list_projects_of_user(
                    tx,
                    organization_id=organization_id,
                    user_id=caller.user_id,
                    inherited=inherited.name,
                    deleted_with=MAY_UNDELETE if request.show_deleted else (),
                    after=after,
                    limit=size + 1,
                )
        shown = that_fit(self._message(row, _access(role, row, default)) for row in rows[:size])
        return pb.ListProjectsResponse(
            projects=shown,
            next_page_token=pages.token(shown[-1].project_id) if len(rows) > len(shown) else "",
        )

    async def UpdateProject(self, request: pb.UpdateProjectRequest, context: Context) -> pb.UpdateProjectResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        wanted = request.project
        with reading() as read:
            project_id = read.uuid("project.project_id", wanted.project_id)
            etag = read.etag("project.etag", wanted.etag)
            allowed = BY_PERSON if caller.person else BY_SERVICE
            paths = read.mask("update_mask", request.update_mask, wanted, allowed)
            values = {path: _new_value(read, path, wanted) for path in sorted(paths)}
            request_id = read.optional_uuid("request_id", request.request_id)

        async def update(tx: Tx) -> pb.UpdateProjectResponse:
            found = await authorize.locked_project(tx, caller, project_id, Permission.PROJECT_UPDATE, shared=True)
            organization_id = found.project.organization_id
            row = await projects.update_project(
                tx, organization_id=organization_id, project_id=project_id, values=values, etag=etag
            )
            if row is None:
                raise ServiceError(Reason.ETAG_MISMATCH)
            await audit.record(
                tx, origin, Action.PROJECT_UPDATED, organization_id, project_id=project_id, fields=list(values)
            )
            await publish.project_changed(tx, "PROJECT_UPDATED", row)
            return pb.UpdateProjectResponse(project=self._message(row, found.access))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.UpdateProjectResponse, update
        )

    def _message(self, row: Row, theirs: Access | None) -> pb.Project:
        return to_proto.project_for_caller(row, theirs, self.parts.settings.permissions)


def _access(role: OrgRole | None, row: Row, default: ProjectRole) -> Access | None:
    if role is None:
        return None
    return access(role, ProjectRole[row.override] if row.override else None, default, on_project=True)


def _new_value(read: Fields, path: str, project: pb.Project) -> Any:
    """The new value of the one field, as its column takes it."""
    name = f"project.{path}"
    if path == "slug":
        return read.slug(name, project.slug)
    if path == "display_name":
        return read.name(name, project.display_name, least=1)
    return read.metadata(name, getattr(project, path))
