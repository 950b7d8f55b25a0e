"""What goes with deleted users: their memberships, and the place of an organization's only owner."""

from collections.abc import Sequence
from uuid import UUID

from shared.database import Tx
from tenancy_service import audit, memberships, publish
from tenancy_service.audit import NO_CALL, Action
from tenancy_service.permissions import OrgRole
from tenancy_service.queries import organization_members, organizations

AT_ONCE = 50  # memberships: their organizations stay locked until the transaction ends


async def remove_memberships(tx: Tx, user_ids: Sequence[UUID]) -> bool:
    """All of them, or AT_ONCE and False: the rest is for the next transactions.

    Deleted organizations are no exception: undeleting them brings nobody back. Nor does undeleting the user: who gives
    them their places again is somebody who may.
    """
    rows = await organization_members.list_memberships_of_users(tx, user_ids=user_ids, limit=AT_ONCE + 1)
    for row in rows[:AT_ONCE]:
        # One organization after the other in the order of their ids; calls lock one, so nobody waits in a circle.
        if await organizations.lock_organization_or_deleted(tx, organization_id=row.organization_id):
            await _remove(tx, row.organization_id, row.user_id)
    return len(rows) <= AT_ONCE


async def _remove(tx: Tx, organization_id: UUID, user_id: UUID) -> None:
    member = await organization_members.get_membership(tx, organization_id=organization_id, user_id=user_id)
    if member is None:
        return
    if member.role == OrgRole.OWNER.name and not await organization_members.count_other_owners(
        tx, organization_id=organization_id, user_id=user_id
    ):
        await _succeed(tx, organization_id, user_id)
    await memberships.remove(tx, NO_CALL, member)


async def _succeed(tx: Tx, organization_id: UUID, user_id: UUID) -> None:
    """The longest-standing admin takes the owner's place; without one the organization is marked ownerless."""
    successor = await organization_members.get_successor(tx, organization_id=organization_id)
    if successor is not None:
        await memberships.succeed(tx, NO_CALL, successor)
        return
    row = await organizations.update_organization_ownerless(tx, organization_id=organization_id)
    await audit.record(tx, NO_CALL, Action.OWNER_LOST, organization_id, target_user_id=user_id)
    if row.delete_time is None:
        await publish.organization_changed(tx, "ORGANIZATION_UPDATED", row)
