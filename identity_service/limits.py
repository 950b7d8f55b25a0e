"""How long mailed links are good, and how often somebody may try before they have to wait."""

from datetime import timedelta
from uuid import UUID

from identity_service.queries.login_throttle import Bucket
from identity_service.throttle import bucket
from shared.fields import email_key

# Mails are read late; until the link is followed the password of a sign-up opens nothing.
SIGN_UP_LIFETIME = timedelta(hours=24)
# Whoever changes their address is at the keyboard and waits for the mail.
EMAIL_CHANGE_LIFETIME = timedelta(hours=1)


def mails(email: str, source: str) -> tuple[Bucket, Bucket]:
    """Nobody's mailbox is flooded, and nobody sends mail to the world through us.

    By address whether it has an account or not, so that a refusal tells nothing; a lost mail can be asked for
    again twice at once. By source enough for an office behind one address.
    """
    return (
        bucket(3, timedelta(minutes=5), "mails to", email_key(email)),
        bucket(20, timedelta(minutes=3), "mails from", source),
    )


def mailed_tokens(source: str) -> Bucket:
    """256 random bits are not guessed; this keeps a source that tries from being a load. 100 an hour."""
    return bucket(100, timedelta(seconds=36), "mailed tokens", source)


def current_passwords(user_id: UUID, source: str) -> Bucket:
    """Somebody at an unlocked screen has ten guesses, then twelve an hour."""
    return bucket(10, timedelta(minutes=5), "current password", user_id, source)
