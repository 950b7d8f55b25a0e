"""How many of each thing there may be: settings, counted in the transaction that adds one more."""

from uuid import UUID

from shared.database import Tx
from shared.errors import ServiceError
from shared.reasons import Reason
from tenancy_service.queries import quotas
from tenancy_service.settings import Settings


async def one_more_organization(tx: Tx, settings: Settings, user_id: UUID) -> None:
    """Of which this user is to be OWNER. Waits for other calls that make them one; QUOTA_EXCEEDED."""
    await quotas.lock_user(tx, user_id=user_id)
    count = await quotas.count_owned_organizations(tx, user_id=user_id)
    refuse(count, settings.organizations_per_user, "organizations", "ORGANIZATIONS_PER_USER", f"user:{user_id}")


async def one_more_member(tx: Tx, settings: Settings, organization_id: UUID) -> None:
    """The organization is locked by the caller, as for the other two."""
    count = await quotas.count_members(tx, organization_id=organization_id)
    limit = settings.members_per_organization
    refuse(count, limit, "members", "MEMBERS_PER_ORGANIZATION", f"organization:{organization_id}")


async def one_more_project(tx: Tx, settings: Settings, organization_id: UUID) -> None:
    count = await quotas.count_projects(tx, organization_id=organization_id)
    limit = settings.projects_per_organization
    refuse(count, limit, "projects", "PROJECTS_PER_ORGANIZATION", f"organization:{organization_id}")


async def one_more_invitation(tx: Tx, settings: Settings, organization_id: UUID) -> None:
    count = await quotas.count_pending_invitations(tx, organization_id=organization_id)
    limit, setting = settings.pending_invitations_per_organization, "PENDING_INVITATIONS_PER_ORGANIZATION"
    refuse(count, limit, "pending invitations", setting, f"organization:{organization_id}")


def refuse(count: int, limit: int, what: str, setting: str, subject: str) -> None:
    if count >= limit:
        raise ServiceError(Reason.QUOTA_EXCEEDED, quota_of=subject, limit=str(limit), what=what, setting=setting)
