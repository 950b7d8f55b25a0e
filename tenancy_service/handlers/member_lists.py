"""tenancy.v1.OrganizationMemberService: reading memberships. Names and addresses are identity's, at that moment."""

from protos.tenancy.v1 import organization_members_pb2 as pb
from shared import filters
from shared.call import Context
from shared.caller import current_caller
from shared.fields import reading
from shared.pages import Pages
from tenancy_service import authorize, memberships, to_proto
from tenancy_service.parts import Handlers
from tenancy_service.permissions import Permission
from tenancy_service.queries import organization_members


class MemberLists(Handlers):
    async def GetOrganizationMember(
        self, request: pb.GetOrganizationMemberRequest, context: Context
    ) -> pb.GetOrganizationMemberResponse:
        caller = current_caller()
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            user_id = read.uuid("user_id", request.user_id)
        needed = Permission.ORGANIZATION_READ if caller.is_user(user_id) else Permission.MEMBERS_READ
        async with self.parts.database.transaction() as tx:
            await authorize.organization(tx, caller, organization_id, needed)
            row = await memberships.member_of(tx, organization_id, user_id)
        users = await self.parts.identity.users([user_id])
        return pb.GetOrganizationMemberResponse(member=to_proto.organization_member(row, users.get(user_id)))

    async def ListOrganizationMembers(
        self, request: pb.ListOrganizationMembersRequest, context: Context
    ) -> pb.ListOrganizationMembersResponse:
        caller = current_caller()
        pages = Pages(caller, "ListOrganizationMembers", request.organization_id, request.filter)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            size = read.page_size("page_size", request.page_size)
            condition = filters.read(read, "filter", request.filter, organization_members.FILTERS)
        after = pages.last_id(request.page_token)
        async with self.parts.database.transaction() as tx:
            await authorize.organization(tx, caller, organization_id, Permission.MEMBERS_READ)
            rows = await organization_members.list_members(
                tx, organization_id=organization_id, condition=condition, after=after, limit=size + 1
            )
        shown = rows[:size]
        users = await self.parts.identity.users([row.user_id for row in shown])
        return pb.ListOrganizationMembersResponse(
            members=[to_proto.organization_member(row, users.get(row.user_id)) for row in shown],
            next_page_token=pages.token(shown[-1].user_id) if len(rows) > size else "",
        )
