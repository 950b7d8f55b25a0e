"""SQL of the mails of invitations: the secrets they hand out, and which of them still waits to be sent."""

from uuid import UUID

from sqlalchemy import delete, func, select, update

from shared.database import Row, Tx, first
from tenancy_service.tables import invitations as i
from tenancy_service.tables import organizations as o
from tenancy_service.tables import outbox_emails as e


async def lock_pending_invitation(tx: Tx, *, organization_id: UUID, invitation_id: UUID) -> Row | None:
    """With what its mail tells of the organization, if that is there; nobody answers or resends it meanwhile."""
    statement = (
        select(i, o.c.slug.label("organization_slug"), o.c.display_name.label("organization_display_name"))
        .join(o, o.c.organization_id == i.c.organization_id)
        .where(i.c.organization_id == organization_id, i.c.invitation_id == invitation_id)
        .where(i.c.state == "PENDING", i.c.expire_time > func.now(), o.c.delete_time.is_(None))
    )
    return await first(tx, statement.with_for_update(of=i))


async def get_email(tx: Tx, *, organization_id: UUID, email_id: UUID) -> Row | None:
    """None if a later mail has taken its place."""
    return await first(tx, select(e).where(e.c.organization_id == organization_id, e.c.email_id == email_id))


async def update_secret(tx: Tx, *, organization_id: UUID, invitation_id: UUID, secret_hash: bytes) -> None:
    """The newest one counts. No change that anybody is told of."""
    statement = update(i).where(i.c.organization_id == organization_id, i.c.invitation_id == invitation_id)
    await tx.execute(statement.values(secret_hash=secret_hash))


async def delete_unsent_emails(tx: Tx, *, organization_id: UUID, invitation_id: UUID) -> None:
    """Also given-up ones: what they would hand out is good no more."""
    mine = (e.c.organization_id == organization_id, e.c.invitation_id == invitation_id)
    await tx.execute(delete(e).where(*mine, e.c.sent_time.is_(None)))
