"""tenancy.v1.AccessService: why the answer is what it is."""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from protos.tenancy.v1 import access_pb2 as pb
from shared.authentication import MAX_TOKEN
from shared.call import Context
from shared.caller import Caller, current_caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import reading
from shared.reasons import Reason
from shared.timestamps import optional_timestamp
from tenancy_service import authorize, to_proto
from tenancy_service.check import Answer
from tenancy_service.explain import Explanation, Membership, Override, explain
from tenancy_service.handlers.access import least_role, read_place
from tenancy_service.parts import Handlers
from tenancy_service.permissions import LeastRole, OrgRole, Permission, ProjectRole
from tenancy_service.queries.access import get_roles_in_place

GONE = "somebody who is gone"


class Asked(NamedTuple):
    """By whom, about whom, where; a caller without a person is a service, which may ask about anybody."""

    caller: Caller
    user_id: UUID
    organization_id: UUID | None
    project_id: UUID | None


class AccessExplained(Handlers):
    async def ExplainAccess(self, request: pb.ExplainAccessRequest, context: Context) -> pb.ExplainAccessResponse:
        permissions = self.parts.settings.permissions
        asked = await self._asked(request)
        least = least_role(permissions, request.permission)
        async with self.parts.database.transaction() as tx:
            if asked.caller.person is not None and asked.caller.user_id != asked.user_id:
                await _refuse_curiosity(tx, asked)
            row = await get_roles_in_place(
                tx, user_id=asked.user_id, organization_id=asked.organization_id, project_id=asked.project_id
            )
        membership, override = None, None
        if row is not None:
            default = ProjectRole[row.default_project_role]
            membership = Membership(OrgRole[row.role], row.organization_slug, default, row.expire_time)
            if row.override is not None:
                override = Override(
                    ProjectRole[row.override],
                    row.project_slug,
                    await self._set_by(row),
                    row.set_time,
                    row.override_expire_time,
                )
        found = explain(request.permission, least, membership, override, on_project=asked.project_id is not None)
        return _response(request.permission, least, asked.user_id, found, row)

    async def _asked(self, request: pb.ExplainAccessRequest) -> Asked:
        """As of CheckAccess, but people may ask about others too; every session that is sent is checked."""
        caller = current_caller()
        with reading() as read:
            token = read.token("session_token", request.session_token, most=MAX_TOKEN)
            user_id = read.optional_uuid("user_id", request.user_id)
            if request.session_token and request.user_id:
                read.wrong("user_id", "either this or session_token")
            if request.session_token and caller.service is None:
                raise ServiceError(Reason.SERVICE_KEY_REQUIRED)
            if not request.session_token and user_id is None and caller.token is None:
                raise ServiceError(Reason.SESSION_REQUIRED)
            organization_id, project_id = read_place(read, request, self.parts.settings.permissions)
        if caller.token is not None:
            caller = Caller(await self.parts.checks.find_person(caller.token), caller.service, caller.token)
        if token:
            user_id = (await self.parts.checks.find_person(token)).user_id
        return Asked(
            caller,
            user_id or caller.user_id,
            UUID(organization_id) if organization_id else None,
            UUID(project_id) if project_id else None,
        )

    async def _set_by(self, row: Row) -> str:
        """By what people know them: identity is asked at this moment, outside the transaction."""
        if row.set_by_user_id is None:
            return f"service {row.set_by_service}" if row.set_by_service else ""
        user = (await self.parts.identity.users([row.set_by_user_id])).get(row.set_by_user_id)
        return user.email if user else GONE


async def _refuse_curiosity(tx: Tx, asked: Asked) -> None:
    """A person who asks about somebody else must be one who may read the members there, and on the project."""
    organization_id = asked.organization_id
    if asked.project_id is not None:
        found = await authorize.project(tx, asked.caller, asked.project_id, Permission.PROJECT_MEMBERS_READ)
        if organization_id not in (None, found.project.organization_id):
            raise ServiceError(Reason.PERMISSION_DENIED)
        organization_id = found.project.organization_id
    if organization_id is None:
        raise TypeError("a question needs a place")
    await authorize.organization(tx, asked.caller, organization_id, Permission.MEMBERS_READ)


def _response(
    permission: str, least: LeastRole, user_id: UUID, found: Explanation, row: Row | None
) -> pb.ExplainAccessResponse:
    response = pb.ExplainAccessResponse(explanation=found.sentence, steps=_steps(permission, least, found, row))
    to_proto.check_access(response.answer, permission, least, Answer(str(user_id), None, found.access))
    if isinstance(found.needed, OrgRole):
        response.needed_organization_role = to_proto.org_role(found.needed)
    elif found.needed is not None:
        response.needed_project_role = to_proto.project_role(found.needed)
    return response


def _steps(permission: str, least: LeastRole, found: Explanation, row: Row | None) -> Iterator[pb.ExplainStep]:
    membership, override = found.membership, found.override
    role = to_proto.org_role(membership.role if membership else None)
    yield pb.ExplainStep(
        membership=pb.ExplainStep.Membership(
            organization_role=role,
            organization_slug=membership.organization_slug if membership else "",
            expire_time=optional_timestamp(membership.expire_time if membership else None),
        )
    )
    if found.inherited is not None:
        given = to_proto.project_role(found.inherited)
        yield pb.ExplainStep(inheritance=pb.ExplainStep.Inheritance(organization_role=role, project_role=given))
    if override is not None and row is not None:
        yield pb.ExplainStep(
            override=pb.ExplainStep.Override(
                project_role=to_proto.project_role(override.role),
                project_slug=override.project_slug,
                set_by_user_id=str(row.set_by_user_id or ""),
                set_by_service=row.set_by_service or "",
                set_time=optional_timestamp(override.set_time),
                expire_time=optional_timestamp(override.expire_time),
            )
        )
    requirement = pb.ExplainStep.Requirement(permission=permission, satisfied=found.is_allowed)
    if isinstance(least, OrgRole):
        requirement.organization_role = to_proto.org_role(least)
    else:
        requirement.project_role = to_proto.project_role(least)
    yield pb.ExplainStep(requirement=requirement)
