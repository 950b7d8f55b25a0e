"""identity.v1.UserService: sign-up, and proving that an address is one's own."""

from identity_service.parts import Handlers
from protos.identity.v1 import credentials_pb2
from protos.identity.v1 import users_pb2 as pb
from shared.interceptors import Context


class UserAddresses(Handlers):
    async def SignUp(self, request: pb.SignUpRequest, context: Context) -> pb.SignUpResponse:
        raise NotImplementedError

    async def StartEmailVerification(
        self, request: credentials_pb2.StartEmailVerificationRequest, context: Context
    ) -> credentials_pb2.StartEmailVerificationResponse:
        raise NotImplementedError

    async def FinishEmailVerification(
        self, request: pb.FinishEmailVerificationRequest, context: Context
    ) -> pb.FinishEmailVerificationResponse:
        raise NotImplementedError

    async def ChangeEmail(
        self, request: credentials_pb2.ChangeEmailRequest, context: Context
    ) -> credentials_pb2.ChangeEmailResponse:
        raise NotImplementedError
