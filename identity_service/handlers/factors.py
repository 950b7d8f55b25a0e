"""identity.v1.FactorService."""

from identity_service.parts import Handlers
from protos.identity.v1 import factors_pb2 as pb
from protos.identity.v1.factors_pb2_grpc import FactorServiceServicer
from shared.interceptors import Context


class Factors(Handlers, FactorServiceServicer):
    async def EnrollTotp(self, request: pb.EnrollTotpRequest, context: Context) -> pb.EnrollTotpResponse:
        raise NotImplementedError

    async def ConfirmTotp(self, request: pb.ConfirmTotpRequest, context: Context) -> pb.ConfirmTotpResponse:
        raise NotImplementedError

    async def RemoveTotp(self, request: pb.RemoveTotpRequest, context: Context) -> pb.RemoveTotpResponse:
        raise NotImplementedError

    async def RegenerateRecoveryCodes(
        self, request: pb.RegenerateRecoveryCodesRequest, context: Context
    ) -> pb.RegenerateRecoveryCodesResponse:
        raise NotImplementedError
