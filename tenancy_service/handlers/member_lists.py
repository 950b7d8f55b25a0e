"""tenancy.v1.OrganizationMemberService: reading memberships."""

from protos.tenancy.v1 import organization_members_pb2 as pb
from shared.interceptors import Context
from tenancy_service.parts import Handlers


class MemberLists(Handlers):
    async def GetOrganizationMember(
        self, request: pb.GetOrganizationMemberRequest, context: Context
    ) -> pb.GetOrganizationMemberResponse:
        raise NotImplementedError
