"""identity.v1.UserService: accounts from other systems."""

from identity_service.parts import Handlers
from protos.identity.v1 import users_pb2 as pb
from shared.interceptors import Context


class UserImports(Handlers):
    async def ImportUsers(self, request: pb.ImportUsersRequest, context: Context) -> pb.ImportUsersResponse:
        raise NotImplementedError
