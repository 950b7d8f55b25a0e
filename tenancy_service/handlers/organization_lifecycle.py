"""tenancy.v1.OrganizationService: the end of an organization, and who owns it."""

from datetime import timedelta

from protos.tenancy.v1 import organizations_pb2 as pb
from shared.call import Context
from shared.caller import current_caller
from shared.database import Tx
from shared.errors import ServiceError
from shared.fields import reading
from shared.reasons import Reason
from tenancy_service import audit, authorize, etags, memberships, publish, to_proto
from tenancy_service.audit import Action
from tenancy_service.handlers.organizations import locked
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole, Permission
from tenancy_service.previews import Scope
from tenancy_service.queries import organization_members, organizations, quotas

MAX_REASON = 500


class OrganizationLifecycle(Handlers):
    async def DeleteOrganization(
        self, request: pb.DeleteOrganizationRequest, context: Context
    ) -> pb.DeleteOrganizationResponse:
        caller, origin, settings = current_caller(), self.parts.origins.of(context), self.parts.settings
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            etag = read.etag("etag", request.etag)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def delete(tx: Tx) -> pb.DeleteOrganizationResponse:
            row, role = await locked(tx, caller, organization_id, Permission.ORGANIZATION_DELETE)
            etags.check(row, etag)
            if not request.force and await quotas.count_projects(tx, organization_id=organization_id):
                raise ServiceError(Reason.ORGANIZATION_NOT_EMPTY)
            row = await organizations.update_organization_deleted(
                tx, organization_id=organization_id, purge_after=timedelta(days=settings.organization_purge_days)
            )
            await audit.record(tx, origin, Action.ORGANIZATION_DELETED, organization_id)
            await publish.organization_changed(tx, "ORGANIZATION_DELETED", row)
            shown = to_proto.organization(row, caller, role, settings.permissions)
            return pb.DeleteOrganizationResponse(organization=shown)

        if request.validate_only:
            return await self.parts.previews.of(delete, Scope(organization_id))
        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.DeleteOrganizationResponse, delete
        )

    async def UndeleteOrganization(
        self, request: pb.UndeleteOrganizationRequest, context: Context
    ) -> pb.UndeleteOrganizationResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def undelete(tx: Tx) -> pb.UndeleteOrganizationResponse:
            member, role = caller.person.user_id if caller.person else None, None
            row = await organizations.lock_organization_until_purge(tx, organization_id=organization_id, member=member)
            if member is not None:
                name = await organization_members.get_role(tx, organization_id=organization_id, user_id=member)
                role = OrgRole[name] if name else None
            if row is None or (member is not None and role is not OrgRole.OWNER):
                raise ServiceError(Reason.PERMISSION_DENIED)
            if row.delete_time:
                row = await organizations.update_organization_undeleted(tx, organization_id=organization_id)
                await audit.record(tx, origin, Action.ORGANIZATION_UNDELETED, organization_id)
                await publish.organization_changed(tx, "ORGANIZATION_UNDELETED", row)
            shown = to_proto.organization(row, caller, role, self.parts.settings.permissions)
            return pb.UndeleteOrganizationResponse(organization=shown)

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.UndeleteOrganizationResponse, undelete
        )

    async def TransferOwnership(
        self, request: pb.TransferOwnershipRequest, context: Context
    ) -> pb.TransferOwnershipResponse:
        caller, origin, settings = current_caller(), self.parts.origins.of(context), self.parts.settings
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            user_id = read.uuid("user_id", request.user_id)
            etag = read.etag("etag", request.etag)
            request_id = read.optional_uuid("request_id", request.request_id)
            if user_id == caller.user_id:
                read.wrong("user_id", "this is you; another member is needed")

        async def transfer(tx: Tx) -> pb.TransferOwnershipResponse:
            row, _ = await locked(tx, caller, organization_id, Permission.ORGANIZATION_TRANSFER)
            etags.check(row, etag)
            mine = await organization_members.get_member(tx, organization_id=organization_id, user_id=caller.user_id)
            theirs = await organization_members.get_member(tx, organization_id=organization_id, user_id=user_id)
            if mine is None or theirs is None:
                raise ServiceError(Reason.MEMBER_NOT_FOUND)
            if theirs.role != OrgRole.OWNER.name:
                await memberships.change(tx, settings, origin, theirs, role=OrgRole.OWNER.name, expire_time=None)
            await memberships.change(tx, settings, origin, mine, role=OrgRole.ADMIN.name, expire_time=None)
            await audit.record(
                tx, origin, Action.OWNERSHIP_TRANSFERRED, organization_id, target_user_id=user_id, before=theirs.role
            )
            shown = to_proto.organization(row, caller, OrgRole.ADMIN, settings.permissions)
            return pb.TransferOwnershipResponse(organization=shown)

        if request.validate_only:
            return await self.parts.previews.of(transfer, Scope(organization_id, user_ids=(caller.user_id, user_id)))
        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.TransferOwnershipResponse, transfer
        )

    async def RestoreOwner(self, request: pb.RestoreOwnerRequest, context: Context) -> pb.RestoreOwnerResponse:
        caller, origin, settings = current_caller(), self.parts.origins.of(context), self.parts.settings
        if caller.person is not None:  # whoever that is, no role they could hold allows it
            raise ServiceError(Reason.PERMISSION_DENIED)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            user_id = read.uuid("user_id", request.user_id)
            reason = read.name("reason", request.reason, least=1, most=MAX_REASON)
            request_id = read.optional_uuid("request_id", request.request_id)
        if user_id not in await self.parts.identity.users([user_id]):
            raise ServiceError(Reason.USER_NOT_FOUND)

        async def restore(tx: Tx) -> pb.RestoreOwnerResponse:
            await authorize.lock_organization(tx, caller, organization_id)
            owner = OrgRole.OWNER.name
            member = await organization_members.get_member(tx, organization_id=organization_id, user_id=user_id)
            others = await organization_members.count_other_owners(tx, organization_id=organization_id, user_id=user_id)
            if others or (member is not None and member.role == owner):
                raise ServiceError(Reason.OWNER_EXISTS)
            if member is None:
                await memberships.add(
                    tx, settings, origin, organization_id=organization_id, user_id=user_id, role=owner
                )
            else:
                await memberships.change(tx, settings, origin, member, role=owner, expire_time=None)
            await audit.record(
                tx, origin, Action.OWNER_RESTORED, organization_id, target_user_id=user_id, reason=reason
            )
            row = await organizations.get_organization(tx, organization_id=organization_id)
            if row is None:
                raise ServiceError(Reason.PERMISSION_DENIED)
            shown = to_proto.organization(row, caller, None, settings.permissions)
            return pb.RestoreOwnerResponse(organization=shown)

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.RestoreOwnerResponse, restore
        )
