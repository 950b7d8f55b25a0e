"""tenancy.v1.InvitationService: what who is invited does."""

from typing import NamedTuple
from uuid import UUID

from protos.tenancy.v1 import invitations_pb2 as pb
from shared import one_time
from shared.call import Context
from shared.caller import Caller, current_caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import Fields, email_key, reading
from shared.pages import Pages, that_fit
from shared.reasons import Reason
from tenancy_service import audit, invited_projects, memberships, to_proto
from tenancy_service.audit import Action
from tenancy_service.identity_client import User
from tenancy_service.parts import Handlers
from tenancy_service.permissions import OrgRole
from tenancy_service.queries import invitations, invited_roles, organization_members, organizations, user_names

ENDED = {
    "ACCEPTED": Reason.INVITATION_ACCEPTED,
    "DECLINED": Reason.INVITATION_DECLINED,
    "REVOKED": Reason.INVITATION_REVOKED,
    "EXPIRED": Reason.INVITATION_EXPIRED,
}


class Named(NamedTuple):
    """The invitation that a request is about, by the one or the other."""

    invitation_id: UUID | None
    secret_hash: bytes | None


class InvitationAnswers(Handlers):
    async def ListMyInvitations(
        self, request: pb.ListMyInvitationsRequest, context: Context
    ) -> pb.ListMyInvitationsResponse:
        caller = current_caller()
        pages = Pages(caller, "ListMyInvitations")
        with reading() as read:
            size = read.page_size("page_size", request.page_size)
        after = pages.last_id(request.page_token)
        me = await self._user(caller)
        if not me.has_verified_email:
            return pb.ListMyInvitationsResponse()
        async with self.parts.database.single_read() as tx:
            rows = await invitations.list_invitations_of_address(
                tx, email_key=email_key(me.email), after=after, limit=size + 1
            )
        shown = that_fit(to_proto.invitation(row, to_recipient=True) for row in rows[:size])
        more = len(rows) > len(shown)
        return pb.ListMyInvitationsResponse(
            invitations=shown, next_page_token=pages.token(shown[-1].invitation_id) if more else ""
        )

    async def AcceptInvitation(
        self, request: pb.AcceptInvitationRequest, context: Context
    ) -> pb.AcceptInvitationResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            named = read_named(read, request)
            request_id = read.optional_uuid("request_id", request.request_id)
        me = await self._user(caller)

        async def accept(tx: Tx) -> pb.AcceptInvitationResponse:
            row = await locked(tx, named, me)
            which = {"organization_id": row.organization_id, "invitation_id": row.invitation_id}
            if row.state != "ACCEPTED" or row.accepted_user_id != me.user_id:
                refuse_ended(row)
                theirs = {"organization_id": row.organization_id, "user_id": me.user_id}
                if await organization_members.get_member(tx, **theirs) is None:
                    await refuse_lapsed(tx, row)
                    await memberships.add(tx, self.parts.settings, origin, **theirs, role=row.role)
                    await invited_projects.give(tx, origin, row, me.user_id)
                if not await invitations.update_invitation_answered(
                    tx, **which, state="ACCEPTED", accepted_user_id=me.user_id
                ):
                    raise ServiceError(Reason.CONFLICT)
                await user_names.insert_user_name(tx, user_id=me.user_id, email=me.email, display_name=me.display_name)
                await audit.record(
                    tx, origin, Action.INVITATION_ACCEPTED, **which, target_user_id=me.user_id, after=row.role
                )
            return await accepted(tx, row.invitation_id, me.user_id)

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.AcceptInvitationResponse, accept, secret_fields=("secret",)
        )

    async def DeclineInvitation(
        self, request: pb.DeclineInvitationRequest, context: Context
    ) -> pb.DeclineInvitationResponse:
        caller, origin = current_caller(), self.parts.origins.of(context)
        with reading() as read:
            named = read_named(read, request)
            request_id = read.optional_uuid("request_id", request.request_id)
        me = await self._user(caller)

        async def decline(tx: Tx) -> pb.DeclineInvitationResponse:
            row = await locked(tx, named, me)
            which = {"organization_id": row.organization_id, "invitation_id": row.invitation_id}
            if row.state != "DECLINED":
                refuse_ended(row)
                if not await invitations.update_invitation_answered(tx, **which, state="DECLINED"):
                    raise ServiceError(Reason.CONFLICT)
                await audit.record(tx, origin, Action.INVITATION_DECLINED, **which)
                row = await received(tx, named, me)
            return pb.DeclineInvitationResponse(invitation=to_proto.invitation(row, to_recipient=True))

        return await self.parts.request_results.answer_once(
            caller, request_id, request, pb.DeclineInvitationResponse, decline, secret_fields=("secret",)
        )

    async def _user(self, caller: Caller) -> User:
        """The caller as identity knows them at this moment; SESSION_INVALID if they are just deleted."""
        users = await self.parts.identity.users([caller.user_id])
        if caller.user_id not in users:
            raise ServiceError(Reason.SESSION_INVALID)
        return users[caller.user_id]


def read_named(read: Fields, request: pb.AcceptInvitationRequest | pb.DeclineInvitationRequest) -> Named:
    if request.WhichOneof("invitation") == "invitation_id":
        return Named(read.uuid("invitation_id", request.invitation_id), None)
    if not request.secret:
        read.wrong("invitation", "invitation_id or secret is needed")
    return Named(None, one_time.hash_of(read.token("secret", request.secret, most=one_time.MAX_TOKEN)))


async def received(tx: Tx, named: Named, me: User) -> Row:
    """INVITATION_NOT_FOUND unless the caller has the secret of its latest mail, or the verified address."""
    if named.invitation_id is None:
        row = await invitations.get_invitation_by_secret(tx, secret_hash=named.secret_hash or b"")
    else:
        row = await invitations.get_invitation(tx, invitation_id=named.invitation_id)
        is_mine = row is not None and me.has_verified_email and row.email_key == email_key(me.email)
        row = row if is_mine else None
    if row is None:
        raise ServiceError(Reason.INVITATION_NOT_FOUND)
    return row


async def locked(tx: Tx, named: Named, me: User) -> Row:
    """The same under the organization's lock, which nobody but its recipient gets this way."""
    seen = await received(tx, named, me)
    if not await organizations.lock_organization(tx, organization_id=seen.organization_id, member=None):
        raise ServiceError(Reason.ORGANIZATION_DELETED)
    return await received(tx, named, me)  # anew: it may have changed before the lock


def refuse_ended(row: Row) -> None:
    if row.state != "PENDING":
        raise ServiceError(ENDED[row.state])


async def refuse_lapsed(tx: Tx, row: Row) -> None:
    """INVITATION_REVOKED where the membership of who invited above MEMBER has expired: removing or lowering them
    revokes such an invitation, but time does not.
    """
    if row.inviter_user_id is None or OrgRole[row.role] <= OrgRole.MEMBER:
        return
    inviter = await organization_members.get_member(
        tx, organization_id=row.organization_id, user_id=row.inviter_user_id
    )
    if inviter is None or OrgRole[inviter.role] < OrgRole[row.role]:
        raise ServiceError(Reason.INVITATION_REVOKED)


async def accepted(tx: Tx, invitation_id: UUID, user_id: UUID) -> pb.AcceptInvitationResponse:
    """The first time and every other; INVITATION_ACCEPTED for who is no member any more: it is good once."""
    row = await invitations.get_invitation(tx, invitation_id=invitation_id)
    member = row and await organization_members.get_member(tx, organization_id=row.organization_id, user_id=user_id)
    if row is None or member is None:
        raise ServiceError(Reason.INVITATION_ACCEPTED)
    # Who became a member with it did so at the time of its last change.
    was_member = member.create_time < row.update_time
    skipped = []
    if not was_member:
        skipped = await invited_roles.list_skipped_projects(
            tx, organization_id=row.organization_id, invitation_id=invitation_id
        )
    return pb.AcceptInvitationResponse(
        member=to_proto.organization_member(member),
        was_member=was_member,
        skipped_project_ids=[str(project_id) for project_id in skipped],
    )
