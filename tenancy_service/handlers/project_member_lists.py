"""tenancy.v1.ProjectMemberService: reading who is what on a project."""

from protos.tenancy.v1 import project_members_pb2 as pb
from shared.interceptors import Context
from tenancy_service.parts import Handlers


class ProjectMemberLists(Handlers):
    async def GetProjectMember(
        self, request: pb.GetProjectMemberRequest, context: Context
    ) -> pb.GetProjectMemberResponse:
        raise NotImplementedError
