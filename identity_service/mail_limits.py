"""How many mails somebody may cause, and how often the tokens in them may be tried."""

from datetime import timedelta

from identity_service.queries.login_throttle import Bucket
from identity_service.throttle import bucket
from shared.fields import email_key


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
