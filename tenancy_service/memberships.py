"""What every change of a membership brings with it: quota, overrides, invitations, audit and events.

The organization is locked by the caller, so that what is checked here is true until commit.
"""

from datetime import datetime
from uuid import UUID

from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.origin import Origin
from shared.reasons import Reason
from tenancy_service import audit, publish, quotas
from tenancy_service.audit import Action
from tenancy_service.permissions import OrgRole
from tenancy_service.queries import (
    invitations,
    organization_members,
    organizations,
    project_members,
    users_to_check,
)
from tenancy_service.settings import Settings


async def member_of(tx: Tx, organization_id: UUID, user_id: UUID) -> Row:
    """Their active membership. MEMBER_NOT_FOUND, also for one that has expired."""
    row = await organization_members.get_member(tx, organization_id=organization_id, user_id=user_id)
    if row is None:
        raise ServiceError(Reason.MEMBER_NOT_FOUND)
    return row


async def add(
    tx: Tx,
    settings: Settings,
    origin: Origin,
    *,
    organization_id: UUID,
    user_id: UUID,
    role: str,
    expire_time: datetime | None = None,
) -> Row:
    """A new member. ALREADY_A_MEMBER, QUOTA_EXCEEDED. One whose membership has expired is added anew."""
    await organization_members.delete_expired_member(tx, organization_id=organization_id, user_id=user_id)
    await quotas.one_more_member(tx, settings, organization_id)
    if role == OrgRole.OWNER.name:
        await quotas.one_more_organization(tx, settings, user_id)
    row = await organization_members.insert_member(
        tx, organization_id=organization_id, user_id=user_id, role=role, expire_time=expire_time
    )
    # Identity was asked before this commit: who was deleted in between would stay for ever.
    await users_to_check.insert_user_to_check(tx, user_id=user_id)
    await audit.record(
        tx,
        origin,
        Action.MEMBER_ADDED,
        organization_id,
        target_user_id=user_id,
        after=role,
        expire_time=expire_time,
    )
    await publish.member_changed(tx, "MEMBER_ADDED", row)
    await _note_owner(tx, row)
    return row


async def change(
    tx: Tx, settings: Settings, origin: Origin, member: Row, *, role: str, expire_time: datetime | None
) -> Row:
    """Another role or expiry. LAST_OWNER, QUOTA_EXCEEDED. No override holds an owner down.

    A lower role takes back the pending invitations that they sent for roles above it.
    """
    if role != OrgRole.OWNER.name:
        await refuse_last_owner(tx, member)
    elif member.role != role:
        await quotas.one_more_organization(tx, settings, member.user_id)
    return await _set_role(tx, origin, Action.MEMBER_UPDATED, member, role=role, expire_time=expire_time)


async def succeed(tx: Tx, origin: Origin, member: Row) -> Row:
    """They become OWNER where the last one is gone. No quota stops that: somebody has to be."""
    return await _set_role(tx, origin, Action.OWNER_SUCCEEDED, member, role=OrgRole.OWNER.name, expire_time=None)


async def _set_role(
    tx: Tx, origin: Origin, action: Action, member: Row, *, role: str, expire_time: datetime | None
) -> Row:
    if role == OrgRole.OWNER.name and member.role != role:
        await project_members.delete_overrides_of_user(
            tx, organization_id=member.organization_id, user_id=member.user_id
        )
    await _revoke_invitations_above(tx, origin, member, OrgRole[role])
    row = await organization_members.update_member(
        tx, organization_id=member.organization_id, user_id=member.user_id, role=role, expire_time=expire_time
    )
    await audit.record(
        tx,
        origin,
        action,
        member.organization_id,
        target_user_id=member.user_id,
        before=member.role,
        after=role,
        expire_time=expire_time,
    )
    await publish.member_changed(tx, "MEMBER_UPDATED", row)
    await _note_owner(tx, row)
    return row


async def remove(tx: Tx, origin: Origin, member: Row, action: Action = Action.MEMBER_REMOVED) -> None:
    """With their overrides, by the foreign key, and the pending invitations they sent for roles above MEMBER.

    Whether it is the last owner is for the caller to see to.
    """
    organization_id, user_id = member.organization_id, member.user_id
    await _revoke_invitations_above(tx, origin, member, OrgRole.MEMBER)
    await organization_members.delete_member(tx, organization_id=organization_id, user_id=user_id)
    await audit.record(tx, origin, action, organization_id, target_user_id=user_id, before=member.role)
    await publish.member_removed(tx, organization_id, user_id)


async def refuse_last_owner(tx: Tx, member: Row) -> None:
    """LAST_OWNER if the organization would be left without an active owner."""
    if member.role != OrgRole.OWNER.name:
        return
    others = await organization_members.count_other_owners(
        tx, organization_id=member.organization_id, user_id=member.user_id
    )
    if not others:
        raise ServiceError(Reason.LAST_OWNER)


async def _revoke_invitations_above(tx: Tx, origin: Origin, inviter: Row, highest: OrgRole) -> None:
    above = [role.name for role in OrgRole if role > highest]
    revoked = await invitations.update_invitations_revoked(
        tx, organization_id=inviter.organization_id, inviter_user_id=inviter.user_id, roles=above
    )
    for invitation_id in revoked:
        await audit.record(tx, origin, Action.INVITATION_REVOKED, inviter.organization_id, invitation_id=invitation_id)


async def _note_owner(tx: Tx, member: Row) -> None:
    """Whoever becomes OWNER of an organization that had lost all of its owners: it is no longer without one."""
    if member.role == OrgRole.OWNER.name:
        organization = await organizations.update_organization_owned(tx, organization_id=member.organization_id)
        if organization is not None:
            await publish.organization_changed(tx, "ORGANIZATION_UPDATED", organization)
