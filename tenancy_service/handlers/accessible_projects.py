"""tenancy.v1.AccessService: where somebody has a role."""

from protos.tenancy.v1 import access_pb2 as pb
from shared.interceptors import Context
from tenancy_service.parts import Handlers


class AccessibleProjects(Handlers):
    async def ListAccessibleProjects(
        self, request: pb.ListAccessibleProjectsRequest, context: Context
    ) -> pb.ListAccessibleProjectsResponse:
        raise NotImplementedError
