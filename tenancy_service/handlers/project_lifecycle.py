"""tenancy.v1.ProjectService: the end of a project."""

from protos.tenancy.v1 import projects_pb2 as pb
from shared.interceptors import Context
from tenancy_service.parts import Handlers


class ProjectLifecycle(Handlers):
    async def DeleteProject(self, request: pb.DeleteProjectRequest, context: Context) -> pb.DeleteProjectResponse:
        raise NotImplementedError

    async def UndeleteProject(self, request: pb.UndeleteProjectRequest, context: Context) -> pb.UndeleteProjectResponse:
        raise NotImplementedError
