"""tenancy.v1.InvitationService: what who is invited does."""

from protos.tenancy.v1 import invitations_pb2 as pb
from shared.interceptors import Context
from tenancy_service.parts import Handlers


class InvitationAnswers(Handlers):
    async def ListMyInvitations(
        self, request: pb.ListMyInvitationsRequest, context: Context
    ) -> pb.ListMyInvitationsResponse:
        raise NotImplementedError

    async def AcceptInvitation(
        self, request: pb.AcceptInvitationRequest, context: Context
    ) -> pb.AcceptInvitationResponse:
        raise NotImplementedError

    async def DeclineInvitation(
        self, request: pb.DeclineInvitationRequest, context: Context
    ) -> pb.DeclineInvitationResponse:
        raise NotImplementedError
