"""tenancy.v1.ProjectService: the end of a project, and how it is taken back."""

from datetime import timedelta

from protos.tenancy.v1 import projects_pb2 as pb
from shared.call import Context
from shared.caller import current_caller
from shared.database import Tx
from shared.errors import ServiceError
from shared.fields import reading
from shared.reasons import Reason
from tenancy_service import audit, authorize, publish, quotas, to_proto
from tenancy_service.audit import Action
from tenancy_service.parts import Handlers
from tenancy_service.permissions import Permission
from tenancy_service.previews import Scope
from tenancy_service.queries import projects


class ProjectLifecycle(Handlers):
    async def DeleteProject(self, request: pb.DeleteProjectRequest, context: Context) -> pb.DeleteProjectResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        purge_after = timedelta(days=self.parts.settings.project_purge_days)
        with reading() as read:
            project_id = read.uuid("project_id", request.project_id)
            etag = read.etag("etag", request.etag)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def delete(tx: Tx) -> pb.DeleteProjectResponse:
            found = await authorize.locked_project(tx, caller, project_id, Permission.PROJECT_DELETE)
            organization_id = found.project.organization_id
            if etag is not None and etag != to_proto.etag(found.project):
                raise ServiceError(Reason.ETAG_MISMATCH)
            row = await projects.update_project_deleted(
                tx, organization_id=organization_id, project_id=project_id, purge_after=purge_after
            )
            await audit.record(tx, origin, Action.PROJECT_DELETED, organization_id, project_id=project_id)
            await publish.project_changed(tx, "PROJECT_DELETED", row)
            return pb.DeleteProjectResponse(
                project=to_proto.project_for_caller(row, found.access, self.parts.settings.permissions)
            )

        async def scope(tx: Tx) -> Scope:
            found = await authorize.locked_project(tx, caller, project_id, Permission.PROJECT_DELETE)
            return Scope(found.project.organization_id, project_id=project_id)

        if request.validate_only:
            return await self.parts.previews.of(delete, scope)
        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.DeleteProjectResponse, delete
        )

    async def UndeleteProject(self, request: pb.UndeleteProjectRequest, context: Context) -> pb.UndeleteProjectResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            project_id = read.uuid("project_id", request.project_id)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def undelete(tx: Tx) -> pb.UndeleteProjectResponse:
            found = await authorize.locked_project(tx, caller, project_id, Permission.PROJECT_DELETE, even_deleted=True)
            row, organization_id = found.project, found.project.organization_id
            if row.delete_time is not None:
                await quotas.one_more_project(tx, self.parts.settings, organization_id)
                row = await projects.update_project_undeleted(
                    tx, organization_id=organization_id, project_id=project_id
                )
                await audit.record(tx, origin, Action.PROJECT_UNDELETED, organization_id, project_id=project_id)
                await publish.project_changed(tx, "PROJECT_UNDELETED", row)
            return pb.UndeleteProjectResponse(
                project=to_proto.project_for_caller(row, found.access, self.parts.settings.permissions)
            )

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.UndeleteProjectResponse, undelete
        )
