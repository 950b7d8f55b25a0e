"""What a row of the outbox becomes when it is sent.

The RPCs look at no account: here is found out whether there is one, so that neither their answers nor their time
tell. Secrets are made here too; the database has their hashes only.
"""

from datetime import timedelta

from uuid_utils.compat import uuid7

from identity_service import audit
from identity_service.audit import Action
from identity_service.mail.texts import TEMPLATES
from identity_service.queries import one_time_tokens, users
from identity_service.settings import Settings
from shared import one_time
from shared.database import Row, Tx
from shared.fields import email_key
from shared.mail.message import Mail, make_message
from shared.mail.texts import Texts, on_the_clock
from shared.origin import Origin

LIFETIMES = {
    "sign_up": timedelta(hours=24),
    "verify_email": timedelta(hours=24),
    "change_email": timedelta(hours=1),
    "reset_password": timedelta(minutes=15),
}


class Composer:
    def __init__(self, settings: Settings) -> None:
        self._sender = settings.mail_from
        self._texts = Texts(
            TEMPLATES, product_name=settings.product_name, links=settings.links, folder=settings.mail_templates
        )

    async def compose(self, tx: Tx, row: Row) -> Mail | None:
        """None if there is nothing to send: no such account, or what it was about has gone."""
        match row.template:
            case "sign_up":
                return await self._sign_up(tx, row)
            case "change_email":
                return await self._change_email(tx, row)
            case "verify_email":
                return await self._verify_email(tx, row)
            case "reset_password":
                return await self._reset_password(tx, row)
            case notice:
                return self._mail(notice, row)

    async def _sign_up(self, tx: Tx, row: Row) -> Mail | None:
        token = await one_time_tokens.get_one_time_token(tx, token_id=row.token_id) if row.token_id else None
        if token is None:
            return None
        if await users.get_user_by_email(tx, email_key=email_key(token.email)):
            return await self._already_registered(tx, row)
        return self._mail("sign_up", row, await self._hand_out(tx, row))

    async def _change_email(self, tx: Tx, row: Row) -> Mail | None:
        found = await one_time_tokens.get_one_time_token(tx, token_id=row.token_id) if row.token_id else None
        user = await users.lock_user(tx, user_id=found.user_id) if found else None
        # Again under the lock: a change of the password ends what was begun, and none of it may be handed out after.
        token = await one_time_tokens.get_one_time_token(tx, token_id=row.token_id) if found else None
        if token is None or user is None or user.state != "ACTIVE":
            return None
        other = await users.get_user_by_email(tx, email_key=email_key(token.email))
        if other and other.user_id != user.user_id:
            return await self._already_registered(tx, row)
        return self._mail("change_email", row, await self._hand_out(tx, row))

    async def _already_registered(self, tx: Tx, row: Row) -> Mail:
        """Also said to who wanted to move to the address: only its owner reads it."""
        await one_time_tokens.delete_token(tx, token_id=row.token_id)
        return self._mail("already_registered", row)

    async def _verify_email(self, tx: Tx, row: Row) -> Mail | None:
        user = await users.get_user_by_email(tx, email_key=email_key(row.address))
        if user is None or user.state != "ACTIVE" or user.email_verified_time:
            return None
        return self._mail("verify_email", row, await self._new_token(tx, row, user, "EMAIL_VERIFICATION"))

    async def _reset_password(self, tx: Tx, row: Row) -> Mail | None:
        found = await users.get_user_by_email(tx, email_key=email_key(row.address))
        user = await users.lock_user(tx, user_id=found.user_id) if found else None
        if user is None or user.state != "ACTIVE" or user.email_key != email_key(row.address):
            return None
        origin = Origin(row.shown.get("ip") or None, "", None)
        await audit.record(tx, origin, Action.PASSWORD_RESET_STARTED, user.user_id)
        return self._mail("reset_password", row, await self._new_token(tx, row, user, "PASSWORD_RESET"))

    async def _new_token(self, tx: Tx, row: Row, user: Row, purpose: str) -> str:
        """For this attempt; that of an earlier mail, which may have arrived, stays good too."""
        secret = one_time.make_token()
        await one_time_tokens.insert_one_time_token(
            tx,
            token_id=uuid7(),
            purpose=purpose,
            lifetime=LIFETIMES[row.template],
            token_hash=one_time.hash_of(secret),
            user_id=user.user_id,
            email=user.email,
        )
        return secret

    async def _hand_out(self, tx: Tx, row: Row) -> str:
        """The secret of the row's token, or of a copy if an earlier mail, which may have arrived, has that."""
        secret = one_time.make_token()
        hashed, lifetime = one_time.hash_of(secret), LIFETIMES[row.template]
        if not await one_time_tokens.update_token_hash(tx, token_id=row.token_id, token_hash=hashed, lifetime=lifetime):
            await one_time_tokens.insert_token_copy(
                tx, of=row.token_id, token_id=uuid7(), token_hash=hashed, lifetime=lifetime
            )
        return secret

    def _mail(self, template: str, row: Row, token: str | None = None) -> Mail:
        rendered = self._texts.render(
            template,
            # Not the display name: whoever signs up somebody else's address chooses it, and could write in it.
            shown={"ip": "", **row.shown, "address": row.address, "time": on_the_clock(row.create_time)},
            token=token,
            lifetime=LIFETIMES.get(row.template),
        )
        message = make_message(
            rendered, product_name=self._texts.product_name, sender=self._sender, address=row.address
        )
        return Mail(template, row.address, message)
