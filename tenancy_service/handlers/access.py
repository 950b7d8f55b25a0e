"""tenancy.v1.AccessService: the answers that everything else exists for, and what permissions there are."""

from collections.abc import Mapping

from protos.tenancy.v1 import access_pb2 as pb
from shared.authentication import MAX_TOKEN
from shared.call import Context
from shared.caller import Caller, current_caller
from shared.errors import ServiceError
from shared.fields import MAX_BATCH, Fields, reading
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
            question = read_question(read, request, caller, self.parts.settings.permissions)
        permission = request.permission
        least = self.parts.settings.permissions.get(permission) or await self._unknown(permission, question)
        response = pb.CheckAccessResponse()
        to_proto.check_access(response, permission, least, await self.parts.checks.ask(question))
        return response

    async def BatchCheckAccess(
        self, request: pb.BatchCheckAccessRequest, context: Context
    ) -> pb.BatchCheckAccessResponse:
        caller, permissions = current_caller(), self.parts.settings.permissions
        with reading() as read:
            read.batch("requests", request.requests)
            questions = []
            for n, item in enumerate(request.requests[:MAX_BATCH]):
                read.within = f"requests[{n}]."
                questions.append(read_question(read, item, caller, permissions))
        needs = [
            permissions.get(item.permission) or await self._unknown(item.permission, question)
            for item, question in zip(request.requests, questions, strict=True)
        ]
        response = pb.BatchCheckAccessResponse()
        add = response.results.add
        for item, least, answer in zip(
            request.requests, needs, await self.parts.checks.ask_all(questions), strict=True
        ):
            if not isinstance(answer, ServiceError):
                to_proto.check_access(add().answer, item.permission, least, answer)
            elif item.session_token and answer.reason is Reason.SESSION_INVALID:
                add(error_reason=answer.reason.name)
            else:  # the caller's own session, or identity is away
                raise answer
        return response

    async def ListPermissions(self, request: pb.ListPermissionsRequest, context: Context) -> pb.ListPermissionsResponse:
        return pb.ListPermissionsResponse(
            permissions=[
                to_proto.permission(name, self.parts.settings.permissions[name])
                for name in sorted(self.parts.settings.permissions)
            ]
        )

    async def _unknown(self, permission: str, question: Question) -> LeastRole:
        if question.user_id is None:
            # Strangers neither learn which permissions there are nor make us search for the nearest.
            await self.parts.checks.find_person(question.token)
        return least_role(self.parts.settings.permissions, permission)


def read_question(
    read: Fields,
    request: pb.CheckAccessRequest,
    caller: Caller,
    permissions: Mapping[str, LeastRole],
) -> Question:
    """Who and where. Both session_token and user_id are for services."""
    token = read.token("session_token", request.session_token, most=MAX_TOKEN)
    user_id = read.optional_id("user_id", request.user_id)
    if request.session_token and request.user_id:
        read.wrong("user_id", "either this or session_token")
    if (request.session_token or user_id) and caller.service is None:
        raise ServiceError(Reason.SERVICE_KEY_REQUIRED)
    if not request.session_token and user_id is None and caller.token is None:
        raise ServiceError(Reason.SESSION_REQUIRED)
    organization_id, project_id = read_place(read, request, permissions)
    return Question(token or caller.token or "", organization_id, project_id, user_id)


def read_place(
    read: Fields,
    request: pb.CheckAccessRequest | pb.ExplainAccessRequest,
    permissions: Mapping[str, LeastRole],
) -> tuple[str | None, str | None]:
    """The organization and the project, one of them or both, for a permission that is held there."""
    organization_id = read.optional_id("organization_id", request.organization_id)
    project_id = read.optional_id("project_id", request.project_id)
    if len(request.permission) > MAX_PERMISSION:
        read.wrong("permission", f"longer than {MAX_PERMISSION} characters")
    elif project_id is None and isinstance(permissions.get(request.permission), ProjectRole):
        read.wrong("project_id", "needed, as this permission is held on projects")
    elif project_id is None and organization_id is None:
        read.wrong("organization_id", "this or project_id is needed")
    return organization_id, project_id


def least_role(permissions: Mapping[str, LeastRole], permission: str) -> LeastRole:
    """What it needs, or PERMISSION_UNKNOWN."""
    least = permissions.get(permission)
    if least is None:
        raise ServiceError(Reason.PERMISSION_UNKNOWN, permission=permission, nearest=nearest(permission, permissions))
    return least
