"""tenancy.v1.InvitationService: what who invites does."""

from protos.tenancy.v1 import invitations_pb2 as pb
from shared.interceptors import Context
from tenancy_service.parts import Handlers


class Inviting(Handlers):
    async def CreateInvitation(
        self, request: pb.CreateInvitationRequest, context: Context
    ) -> pb.CreateInvitationResponse:
        raise NotImplementedError

    async def GetInvitation(self, request: pb.GetInvitationRequest, context: Context) -> pb.GetInvitationResponse:
        raise NotImplementedError

    async def ListInvitations(self, request: pb.ListInvitationsRequest, context: Context) -> pb.ListInvitationsResponse:
        raise NotImplementedError

    async def RevokeInvitation(
        self, request: pb.RevokeInvitationRequest, context: Context
    ) -> pb.RevokeInvitationResponse:
        raise NotImplementedError

    async def ResendInvitation(
        self, request: pb.ResendInvitationRequest, context: Context
    ) -> pb.ResendInvitationResponse:
        raise NotImplementedError
