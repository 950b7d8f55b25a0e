"""tenancy.v1.AccessService: why the answer is what it is."""

from protos.tenancy.v1 import access_pb2 as pb
from shared.interceptors import Context
from tenancy_service.parts import Handlers


class AccessExplained(Handlers):
    async def ExplainAccess(self, request: pb.ExplainAccessRequest, context: Context) -> pb.ExplainAccessResponse:
        raise NotImplementedError
