"""tenancy.v1.OrganizationMemberService: how memberships end."""

from protos.tenancy.v1 import organization_members_pb2 as pb
from shared.interceptors import Context
from tenancy_service.parts import Handlers


class Leaving(Handlers):
    async def LeaveOrganization(
        self, request: pb.LeaveOrganizationRequest, context: Context
    ) -> pb.LeaveOrganizationResponse:
        raise NotImplementedError
