"""What goes with deleted users: their memberships, and the place of an organization's only owner."""

from collections.abc import Sequence
from itertools import groupby
from uuid import UUID

from shared.database import Row, Tx
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
    # One organization after the other in the order of their ids; calls lock one, so nobody waits in a circle.
    for organization_id, group in groupby(rows[:AT_ONCE], key=lambda row: row.organization_id):
        theirs = [row.user_id for row in group]
        if await organizations.lock_organization_or_deleted(tx, organization_id=organization_id):
            for member in await organization_members.list_memberships(
                tx, organization_id=organization_id, user_ids=theirs
            ):
                await _remove(tx, member, user_ids)
    return len(rows) <= AT_ONCE


async def _remove(tx: Tx, member: Row, all_going: Sequence[UUID]) -> None:
    if member.role == OrgRole.OWNER.name and not await organization_members.count_other_owners(
        tx, organization_id=member.organization_id, user_id=member.user_id
    ):
        await _succeed(tx, member, all_going)
    await memberships.remove(tx, NO_CALL, member)


async def _succeed(tx: Tx, owner: Row, all_going: Sequence[UUID]) -> None:
    """The longest-standing admin takes the owner's place; without one the organization is marked ownerless."""
    organization_id = owner.organization_id
    successor = await organization_members.get_successor(tx, organization_id=organization_id, but=all_going)
    if successor is not None:
        await memberships.succeed(tx, NO_CALL, successor)
        return
    row = await organizations.update_organization_ownerless(tx, organization_id=organization_id)
    await audit.record(tx, NO_CALL, Action.OWNER_LOST, organization_id, target_user_id=owner.user_id)
    if row.delete_time is None:
        await publish.organization_changed(tx, "ORGANIZATION_UPDATED", row)
