"""identity.v1.UserService: changing and resetting passwords."""

from identity_service.parts import Handlers
from protos.identity.v1 import credentials_pb2 as pb
from shared.interceptors import Context


class UserPasswords(Handlers):
    async def StartPasswordReset(
        self, request: pb.StartPasswordResetRequest, context: Context
    ) -> pb.StartPasswordResetResponse:
        raise NotImplementedError

    async def FinishPasswordReset(
        self, request: pb.FinishPasswordResetRequest, context: Context
    ) -> pb.FinishPasswordResetResponse:
        raise NotImplementedError

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: Context) -> pb.ChangePasswordResponse:
        raise NotImplementedError
