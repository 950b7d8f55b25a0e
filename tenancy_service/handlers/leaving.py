"""tenancy.v1.OrganizationMemberService: how memberships end by somebody's hand."""

from uuid import UUID

from protos.tenancy.v1 import organization_members_pb2 as pb
from shared.call import Context
from shared.caller import Caller, current_caller
from shared.database import Tx
from shared.fields import reading
from shared.origin import Origin
from tenancy_service import authorize, etags, memberships
from tenancy_service.audit import Action
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole, Permission
from tenancy_service.previews import Scope


class Leaving(Handlers):
    async def RemoveOrganizationMember(
        self, request: pb.RemoveOrganizationMemberRequest, context: Context
    ) -> pb.RemoveOrganizationMemberResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            user_id = read.uuid("user_id", request.user_id)
            etag = read.etag("etag", request.etag)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def remove(tx: Tx) -> pb.RemoveOrganizationMemberResponse:
            await _end(tx, caller, origin, organization_id, user_id, etag)
            return pb.RemoveOrganizationMemberResponse()

        if request.validate_only:
            return await self.parts.previews.of(remove, Scope(organization_id, user_ids=(user_id,)))
        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.RemoveOrganizationMemberResponse, remove
        )

    async def LeaveOrganization(
        self, request: pb.LeaveOrganizationRequest, context: Context
    ) -> pb.LeaveOrganizationResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def leave(tx: Tx) -> pb.LeaveOrganizationResponse:
            await _end(tx, caller, origin, organization_id, caller.user_id, None)
            return pb.LeaveOrganizationResponse()

        if request.validate_only:
            return await self.parts.previews.of(leave, Scope(organization_id, user_ids=(caller.user_id,)))
        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.LeaveOrganizationResponse, leave
        )


async def _end(tx: Tx, caller: Caller, origin: Origin, organization_id: UUID, user_id: UUID, etag: str | None) -> None:
    """Everybody may leave: one's own membership needs nothing but being there."""
    is_leaving = caller.is_user(user_id)
    needed = Permission.ORGANIZATION_READ if is_leaving else Permission.MEMBERS_REMOVE
    caller_role = await authorize.locked_organization(tx, caller, organization_id, needed)
    member = await memberships.member_of(tx, organization_id, user_id)
    authorize.refuse_above(caller_role, OrgRole[member.role])
    etags.check(member, etag)
    await memberships.refuse_last_owner(tx, member)
    await memberships.remove(tx, origin, member, Action.MEMBER_LEFT if is_leaving else Action.MEMBER_REMOVED)
