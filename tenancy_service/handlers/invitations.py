"""tenancy.v1.InvitationService: what who invites does."""

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from protos.tenancy.v1 import invitations_pb2 as pb
from shared import filters
from shared.call import Context
from shared.caller import Caller, current_caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import email_key, reading
from shared.origin import Origin
from shared.pages import Pages, that_fit
from shared.reasons import Reason
from tenancy_service import audit, authorize, invited_projects, quotas, to_proto
from tenancy_service.audit import Action
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole, Permission
from tenancy_service.queries import invitation_mails, invitations, user_names

ORG_ROLES = [(role.name, role.value) for role in OrgRole]
RESEND_AFTER = 60  # seconds between two mails of one invitation


class Inviting(Handlers):
    async def CreateInvitation(
        self, request: pb.CreateInvitationRequest, context: Context
    ) -> pb.CreateInvitationResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            email = read.email("email", request.email)
            role = read.enum("role", request.role, ORG_ROLES)
            project_roles = invited_projects.read(read, request)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def create(tx: Tx) -> pb.CreateInvitationResponse:
            caller_role = await authorize.locked_organization(tx, caller, organization_id, Permission.MEMBERS_INVITE)
            authorize.refuse_above(caller_role, OrgRole[role])
            await invited_projects.refuse_above(tx, caller, caller_role, organization_id, project_roles)
            key = user_names.comparable(email)
            if await invitations.get_member_of_address(tx, organization_id=organization_id, email_key=key):
                raise ServiceError(Reason.ALREADY_A_MEMBER)
            await invitations.update_invitation_expired(tx, organization_id=organization_id, email_key=email_key(email))
            await quotas.one_more_invitation(tx, self.parts.settings, organization_id)
            invitation_id = uuid7()
            new = {
                "invitation_id": invitation_id,
                "email": email,
                "email_key": email_key(email),
                "role": role,
                "inviter_user_id": caller.person.user_id if caller.person else None,
                "inviter_service": None if caller.person else caller.service,
            }
            await invitations.insert_invitation(
                tx, organization_id=organization_id, lifetime=self._lifetime, new=new, project_roles=project_roles
            )
            row = await self._mail(tx, origin, Action.INVITATION_CREATED, invitation_id)
            return pb.CreateInvitationResponse(invitation=to_proto.invitation(row))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.CreateInvitationResponse, create
        )

    async def GetInvitation(self, request: pb.GetInvitationRequest, context: Context) -> pb.GetInvitationResponse:
        caller = current_caller()
        with reading() as read:
            invitation_id = read.uuid("invitation_id", request.invitation_id)
        async with self.parts.database.transaction() as tx:
            row = await invitations.get_invitation(tx, invitation_id=invitation_id)
            if row is not None:
                with suppress(ServiceError):
                    await authorize.organization(tx, caller, row.organization_id, Permission.INVITATIONS_READ)
                    return pb.GetInvitationResponse(invitation=to_proto.invitation(row))
        # Asked whether there is such an invitation or not, so that the time does not tell.
        users = await self.parts.identity.users([caller.person.user_id]) if caller.person else {}
        mine = [email_key(user.email) for user in users.values() if user.has_verified_email]
        if row is None or row.organization_delete_time or row.email_key not in mine:
            raise ServiceError(Reason.PERMISSION_DENIED)
        return pb.GetInvitationResponse(invitation=to_proto.invitation(row, to_recipient=True))

    async def ListInvitations(self, request: pb.ListInvitationsRequest, context: Context) -> pb.ListInvitationsResponse:
        caller = current_caller()
        pages = Pages(caller, "ListInvitations", request.organization_id, request.filter)
        with reading() as read:
            organization_id = read.uuid("organization_id", request.organization_id)
            size = read.page_size("page_size", request.page_size)
            condition = filters.read(read, "filter", request.filter, invitations.FILTERS)
        after = pages.last_id(request.page_token)
        async with self.parts.database.transaction() as tx:
            await authorize.organization(tx, caller, organization_id, Permission.INVITATIONS_READ)
            rows = await invitations.list_invitations(
                tx, organization_id=organization_id, condition=condition, after=after, limit=size + 1
            )
        shown = that_fit(to_proto.invitation(row) for row in rows[:size])
        more = len(rows) > len(shown)
        return pb.ListInvitationsResponse(
            invitations=shown, next_page_token=pages.token(shown[-1].invitation_id) if more else ""
        )

    async def RevokeInvitation(
        self, request: pb.RevokeInvitationRequest, context: Context
    ) -> pb.RevokeInvitationResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            invitation_id = read.uuid("invitation_id", request.invitation_id)
            etag = read.etag("etag", request.etag)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def revoke(tx: Tx) -> pb.RevokeInvitationResponse:
            row = await self._about_to_change(tx, caller, invitation_id)
            if row.state != "REVOKED":
                if etag is not None and etag != to_proto.etag(row):
                    raise ServiceError(Reason.ETAG_MISMATCH)
                if not await invitations.update_invitation_answered(
                    tx, organization_id=row.organization_id, invitation_id=invitation_id, state="REVOKED"
                ):
                    raise ServiceError(Reason.INVITATION_NOT_PENDING)
                await audit.record(
                    tx, origin, Action.INVITATION_REVOKED, row.organization_id, invitation_id=invitation_id
                )
                row = await self._invitation(tx, invitation_id)
            return pb.RevokeInvitationResponse(invitation=to_proto.invitation(row))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.RevokeInvitationResponse, revoke
        )

    async def ResendInvitation(
        self, request: pb.ResendInvitationRequest, context: Context
    ) -> pb.ResendInvitationResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            invitation_id = read.uuid("invitation_id", request.invitation_id)
            request_id = read.optional_uuid("request_id", request.request_id)

        async def resend(tx: Tx) -> pb.ResendInvitationResponse:
            row = await self._about_to_change(tx, caller, invitation_id)
            which = {"organization_id": row.organization_id, "invitation_id": invitation_id}
            if row.state == "EXPIRED":
                await quotas.one_more_invitation(tx, self.parts.settings, row.organization_id)
            elif row.state == "PENDING" and row.age < RESEND_AFTER:
                raise ServiceError(Reason.THROTTLED, retry_after=RESEND_AFTER - float(row.age))
            if not await invitations.update_invitation_resent(tx, **which, lifetime=self._lifetime):
                raise ServiceError(Reason.INVITATION_NOT_PENDING)
            await invitation_mails.delete_unsent_emails(tx, **which)
            row = await self._mail(tx, origin, Action.INVITATION_RESENT, invitation_id)
            return pb.ResendInvitationResponse(invitation=to_proto.invitation(row))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.ResendInvitationResponse, resend
        )

    @property
    def _lifetime(self) -> timedelta:
        return timedelta(days=self.parts.settings.invitation_days)

    async def _invitation(self, tx: Tx, invitation_id: UUID) -> Row:
        row = await invitations.get_invitation(tx, invitation_id=invitation_id)
        if row is None:
            raise ServiceError(Reason.PERMISSION_DENIED)
        return row

    async def _about_to_change(self, tx: Tx, caller: Caller, invitation_id: UUID) -> Row:
        """Under the organization's lock, by somebody who may invite for its role."""
        seen = await self._invitation(tx, invitation_id)
        caller_role = await authorize.locked_organization(tx, caller, seen.organization_id, Permission.MEMBERS_INVITE)
        authorize.refuse_above(caller_role, OrgRole[seen.role])
        return await self._invitation(tx, invitation_id)  # anew: it may have changed before the lock

    async def _mail(self, tx: Tx, origin: Origin, action: Action, invitation_id: UUID) -> Row:
        """Whoever composes the mail makes the secret. The row as it is now."""
        row = await self._invitation(tx, invitation_id)
        which = {"organization_id": row.organization_id, "invitation_id": invitation_id}
        await self.parts.outbox.put(tx, "invitation", row.email, **which)
        await audit.record(tx, origin, action, **which, after=row.role)
        return row
