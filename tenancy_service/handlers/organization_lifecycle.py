"""tenancy.v1.OrganizationService: the end of an organization, and who owns it."""

from protos.tenancy.v1 import organizations_pb2 as pb
from shared.interceptors import Context
from tenancy_service.parts import Handlers


class OrganizationLifecycle(Handlers):
    async def DeleteOrganization(
        self, request: pb.DeleteOrganizationRequest, context: Context
    ) -> pb.DeleteOrganizationResponse:
        raise NotImplementedError

    async def UndeleteOrganization(
        self, request: pb.UndeleteOrganizationRequest, context: Context
    ) -> pb.UndeleteOrganizationResponse:
        raise NotImplementedError

    async def TransferOwnership(
        self, request: pb.TransferOwnershipRequest, context: Context
    ) -> pb.TransferOwnershipResponse:
        raise NotImplementedError

    async def RestoreOwner(self, request: pb.RestoreOwnerRequest, context: Context) -> pb.RestoreOwnerResponse:
        raise NotImplementedError
