"""tenancy.v1.OrganizationMemberService: memberships made and changed."""

from protos.tenancy.v1 import organization_members_pb2 as pb
from shared.call import Context
from shared.caller import current_caller
from shared.database import Tx
from shared.errors import ServiceError
from shared.fields import reading
from shared.reasons import Reason
from tenancy_service import authorize, etags, expiry, memberships, to_proto
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole, Permission
from tenancy_service.previews import Scope
from tenancy_service.queries import user_names

ORG_ROLES = [(role.name, role.value) for role in OrgRole]
OWNER = OrgRole.OWNER.name
UPDATABLE = ("role", "expire_time")
OWNERS_HAVE_NONE = "an OWNER has none"


class Memberships(Handlers):
    async def AddOrganizationMember(
        self, request: pb.AddOrganizationMemberRequest, context: Context
    ) -> pb.AddOrganizationMemberResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            user_id = read.uuid("user_id", request.user_id)
            role = read.enum("role", request.role, ORG_ROLES)
            expire_time = read.optional_time("expire_time", request)
            request_id = read.optional_uuid("request_id", request.request_id)
            if role == OWNER and expire_time is not None:
                read.wrong("expire_time", OWNERS_HAVE_NONE)
        user = (await self.parts.identity.users([user_id])).get(user_id)

        async def add(tx: Tx) -> pb.AddOrganizationMemberResponse:
            caller_role = await authorize.locked_organization(tx, caller, organization_id, Permission.MEMBERS_UPDATE)
            authorize.refuse_above(caller_role, OrgRole[role])
            await expiry.refuse_past(tx, expire_time)
            if user is None:
                raise ServiceError(Reason.USER_NOT_FOUND)
            row = await memberships.add(
                tx,
                self.parts.settings,
                origin,
                organization_id=organization_id,
                user_id=user_id,
                role=role,
                expire_time=expire_time,
            )
            await user_names.insert_user_name(tx, user_id=user_id, email=user.email, display_name=user.display_name)
            return pb.AddOrganizationMemberResponse(member=to_proto.organization_member(row))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.AddOrganizationMemberResponse, add
        )

    async def UpdateOrganizationMember(
        self, request: pb.UpdateOrganizationMemberRequest, context: Context
    ) -> pb.UpdateOrganizationMemberResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            user_id = read.uuid("user_id", request.user_id)
            etag = read.etag("etag", request.etag)
            paths = read.mask("update_mask", request.update_mask, request, UPDATABLE)
            wanted_role = read.enum("role", request.role, ORG_ROLES) if "role" in paths else None
            wanted_end = read.optional_time("expire_time", request) if "expire_time" in paths else None
            request_id = read.optional_uuid("request_id", request.request_id)
            if wanted_role == OWNER and wanted_end is not None:
                read.wrong("expire_time", OWNERS_HAVE_NONE)

        async def update(tx: Tx) -> pb.UpdateOrganizationMemberResponse:
            caller_role = await authorize.locked_organization(tx, caller, organization_id, Permission.MEMBERS_UPDATE)
            member = await memberships.member_of(tx, organization_id, user_id)
            role = wanted_role or member.role
            expire_time = wanted_end if "expire_time" in paths else member.expire_time
            authorize.refuse_above(caller_role, OrgRole[member.role], OrgRole[role])
            expiry.refuse_prolonging(caller, user_id, OrgRole[role], member.expire_time, expire_time)
            etags.check(member, etag)
            if role == OWNER and expire_time is not None:
                wrong = f"{OWNERS_HAVE_NONE}; name it in update_mask, and do not set it, to take it away"
                raise ServiceError(Reason.BAD_REQUEST, fields=(("expire_time", wrong),))
            await expiry.refuse_past(tx, wanted_end)
            row = await memberships.change(tx, self.parts.settings, origin, member, role=role, expire_time=expire_time)
            return pb.UpdateOrganizationMemberResponse(member=to_proto.organization_member(row))

        if request.validate_only:
            return await self.parts.previews.of(update, Scope(organization_id, user_ids=(user_id,)))
        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.UpdateOrganizationMemberResponse, update
        )
