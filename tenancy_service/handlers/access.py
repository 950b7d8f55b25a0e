"""tenancy.v1.AccessService: the answers that everything else exists for, and what permissions there are."""

from protos.tenancy.v1 import access_pb2 as pb
from shared.authentication import MAX_TOKEN
from shared.caller import Caller, current_caller
from shared.errors import ServiceError
from shared.fields import MAX_BATCH, Fields, reading
from shared.interceptors import Context
from shared.reasons import Reason
from tenancy_service import to_proto
from tenancy_service.check import Question
from tenancy_service.parts import Handlers
from tenancy_service.permissions import LeastRole, ProjectRole, nearest

MAX_PERMISSION = 101


class AccessChecks(Handlers):
    async def CheckAccess(self, request: pb.CheckAccessRequest, context: Context) -> pb.CheckAccessResponse:
        caller = current_caller()
        with reading() as read:
            question = self._question(read, "", request, caller)
        least = await self._least_role(request.permission, question)
        return to_proto.check_access(request.permission, least, await self.parts.checks.ask(question))

    async def BatchCheckAccess(
        self, request: pb.BatchCheckAccessRequest, context: Context
    ) -> pb.BatchCheckAccessResponse:
        caller = current_caller()
        with reading() as read:
            read.batch("requests", request.requests)
            questions = [
                self._question(read, f"requests[{n}].", item, caller)
                for n, item in enumerate(request.requests[:MAX_BATCH])
            ]
        needs = [
            await self._least_role(item.permission, question)
            for item, question in zip(request.requests, questions, strict=True)
        ]
        results = []
        for item, least, answer in zip(
            request.requests, needs, await self.parts.checks.answer_all(questions), strict=True
        ):
            if not isinstance(answer, ServiceError):
                response = to_proto.check_access(item.permission, least, answer)
                results.append(pb.CheckAccessResult(answer=response))
            elif item.session_token:
                results.append(pb.CheckAccessResult(error_reason=answer.reason.name))
            else:  # the caller's own session
                raise answer
        return pb.BatchCheckAccessResponse(results=results)

    async def ListPermissions(self, request: pb.ListPermissionsRequest, context: Context) -> pb.ListPermissionsResponse:
        return pb.ListPermissionsResponse(
            permissions=[
                to_proto.permission(name, self.parts.settings.permissions[name])
                for name in sorted(self.parts.settings.permissions)
            ]
        )

    def _question(self, read: Fields, path: str, request: pb.CheckAccessRequest, caller: Caller) -> Question:
        organization_id = read.optional_uuid(f"{path}organization_id", request.organization_id)
        project_id = read.optional_uuid(f"{path}project_id", request.project_id)
        if len(request.permission) > MAX_PERMISSION:
            read.wrong(f"{path}permission", f"longer than {MAX_PERMISSION} characters")
        elif project_id is None and isinstance(self.parts.settings.permissions.get(request.permission), ProjectRole):
            read.wrong(f"{path}project_id", "needed, as this permission is held on projects")
        elif project_id is None and organization_id is None:
            read.wrong(f"{path}organization_id", "this or project_id is needed")
        token = read.token(f"{path}session_token", request.session_token, most=MAX_TOKEN)
        if token and caller.service is None:
            raise ServiceError(Reason.SERVICE_KEY_REQUIRED)
        if not token and caller.token is None:
            raise ServiceError(Reason.SESSION_REQUIRED)
        return Question(token or caller.token or "", organization_id, project_id)

    async def _least_role(self, permission: str, question: Question) -> LeastRole:
        least = self.parts.settings.permissions.get(permission)
        if least is None:
            # Strangers neither learn which permissions there are nor make us search for the nearest.
            await self.parts.checks.find_person(question.token)
            raise ServiceError(
                Reason.PERMISSION_UNKNOWN,
                permission=permission,
                nearest=nearest(permission, self.parts.settings.permissions),
            )
        return least
