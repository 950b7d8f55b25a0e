"""What a row of the outbox becomes when it is sent. Secrets are made here; the database has their hashes only."""

import re

from shared import one_time
from shared.database import Row, Tx
from shared.mail.message import Mail, make_message
from shared.mail.texts import Texts, on_the_clock
from tenancy_service.mail.texts import TEMPLATES
from tenancy_service.queries import invitation_mails
from tenancy_service.settings import Settings

# What a mail program may make a link of.
LINK = re.compile(r"[^\s.]\.[^\s.]|//|[\\@]|www", re.IGNORECASE)


class Composer:
    def __init__(self, settings: Settings) -> None:
        self._sender = settings.mail_from
        self._texts = Texts(
            TEMPLATES, product_name=settings.product_name, links=settings.links, folder=settings.mail_templates
        )

    async def compose(self, tx: Tx, row: Row) -> Mail | None:
        """None if the invitation has ended, its organization is gone, or a later mail takes this one's place."""
        which = {"organization_id": row.organization_id, "invitation_id": row.invitation_id}
        invitation = await invitation_mails.lock_pending_invitation(tx, **which)
        waiting = await invitation_mails.get_email(tx, organization_id=row.organization_id, email_id=row.email_id)
        if invitation is None or waiting is None:
            return None
        secret = one_time.make_token()
        await invitation_mails.update_secret(tx, **which, secret_hash=one_time.hash_of(secret))
        shown = {
            "address": row.address,
            "organization": safe_name(invitation.organization_display_name, invitation.organization_slug),
            "role": invitation.role.lower(),
            "time": on_the_clock(row.create_time),
            "expires": on_the_clock(invitation.expire_time),
        }
        message = make_message(
            self._texts.render(row.template, shown=shown, token=secret),
            product_name=self._texts.product_name,
            sender=self._sender,
            address=row.address,
        )
        return Mail(row.template, row.address, message)


def safe_name(display_name: str, slug: str) -> str:
    """The slug instead of a name with a link in it: whoever invites may have chosen the name too."""
    return slug if LINK.search(display_name) else display_name
