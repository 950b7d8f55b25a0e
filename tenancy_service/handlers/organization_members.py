"""tenancy.v1.OrganizationMemberService."""

from uuid import UUID

from protos.tenancy.v1 import organization_members_pb2 as pb
from shared.caller import current_caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import reading
from shared.interceptors import Context
from shared.pages import Pages
from shared.reasons import Reason
from tenancy_service import authorize, to_proto
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole, Permission
from tenancy_service.queries import organization_members, project_members

ORG_ROLES = [(role.name, role.value) for role in OrgRole]


class Memberships(Handlers):
    async def AddOrganizationMember(
        self, request: pb.AddOrganizationMemberRequest, context: Context
    ) -> pb.AddOrganizationMemberResponse:
        caller = current_caller()
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            user_id = read.uuid("user_id", request.user_id)
            role = read.enum("role", request.role, ORG_ROLES)
            request_id = read.optional_uuid("request_id", request.request_id)
        if user_id not in await self.parts.identity.users([user_id]):
            raise ServiceError(Reason.USER_NOT_FOUND)

        async def add(tx: Tx) -> pb.AddOrganizationMemberResponse:
            await authorize.lock_organization(tx, caller, organization_id)
            caller_role = await authorize.organization(tx, caller, organization_id, Permission.MEMBERS_UPDATE)
            authorize.refuse_above(caller_role, OrgRole[role])
            row = await organization_members.insert_member(
                tx, organization_id=organization_id, user_id=user_id, role=role
            )
            return pb.AddOrganizationMemberResponse(member=to_proto.organization_member(row))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.AddOrganizationMemberResponse, add
        )

    async def ListOrganizationMembers(
        self, request: pb.ListOrganizationMembersRequest, context: Context
    ) -> pb.ListOrganizationMembersResponse:
        pages = Pages(current_caller(), "ListOrganizationMembers", request.organization_id)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            size = read.page_size("page_size", request.page_size)
        after = pages.last_id(request.page_token)
        async with self.parts.database.transaction() as tx:
            await authorize.organization(tx, current_caller(), organization_id, Permission.MEMBERS_READ)
            rows = await organization_members.list_members(
                tx, organization_id=organization_id, after=after, limit=size + 1
            )
        return pb.ListOrganizationMembersResponse(
            members=[to_proto.organization_member(row) for row in rows[:size]],
            next_page_token=pages.token(rows[size - 1].user_id) if len(rows) > size else "",
        )

    async def UpdateOrganizationMember(
        self, request: pb.UpdateOrganizationMemberRequest, context: Context
    ) -> pb.UpdateOrganizationMemberResponse:
        caller = current_caller()
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            user_id = read.uuid("user_id", request.user_id)
            role = read.enum("role", request.role, ORG_ROLES)
        async with self.parts.database.transaction() as tx:
            await authorize.lock_organization(tx, caller, organization_id)
            caller_role = await authorize.organization(tx, caller, organization_id, Permission.MEMBERS_UPDATE)
            member = await self._member(tx, organization_id, user_id)
            authorize.refuse_above(caller_role, OrgRole[member.role], OrgRole[role])
            if request.etag and request.etag != to_proto.etag(member):
                raise ServiceError(Reason.ETAG_MISMATCH)
            if role != OrgRole.OWNER.name:
                await self._refuse_last_owner(tx, member)
            else:
                await project_members.delete_overrides_of_user(tx, organization_id=organization_id, user_id=user_id)
            row = await organization_members.update_member(
                tx, organization_id=organization_id, user_id=user_id, role=role, expire_time=member.expire_time
            )
        return pb.UpdateOrganizationMemberResponse(member=to_proto.organization_member(row))

    async def RemoveOrganizationMember(
        self, request: pb.RemoveOrganizationMemberRequest, context: Context
    ) -> pb.RemoveOrganizationMemberResponse:
        caller = current_caller()
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            user_id = read.uuid("user_id", request.user_id)
        # Everybody may leave: one's own membership needs nothing but being there.
        needed = Permission.ORGANIZATION_READ if user_id == caller.user_id else Permission.MEMBERS_REMOVE
        async with self.parts.database.transaction() as tx:
            await authorize.lock_organization(tx, caller, organization_id)
            caller_role = await authorize.organization(tx, caller, organization_id, needed)
            member = await self._member(tx, organization_id, user_id)
            authorize.refuse_above(caller_role, OrgRole[member.role])
            await self._refuse_last_owner(tx, member)
            await organization_members.delete_member(tx, organization_id=organization_id, user_id=user_id)
        return pb.RemoveOrganizationMemberResponse()

    async def _member(self, tx: Tx, organization_id: UUID, user_id: UUID) -> Row:
        member = await organization_members.get_member(tx, organization_id=organization_id, user_id=user_id)
        if member is None:
            raise ServiceError(Reason.MEMBER_NOT_FOUND)
        return member

    async def _refuse_last_owner(self, tx: Tx, member: Row) -> None:
        """True until commit, because the organization is locked."""
        if member.role != OrgRole.OWNER.name:
            return
        others = await organization_members.count_other_owners(
            tx, organization_id=member.organization_id, user_id=member.user_id
        )
        if not others:
            raise ServiceError(Reason.LAST_OWNER)
