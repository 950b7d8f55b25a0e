"""How often passwords and codes may be guessed at, and what the tries are counted by.

Whoever signed in from a device or source before has a bucket of their own there: others' guesses leave it alone.
Everybody else shares: who guesses from many places is slowed down by the account, who guesses at many accounts by
the source. Accounts are counted by the address they are asked for, whether or not there is one.
"""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from identity_service.known_devices import Device
from identity_service.queries.login_throttle import Bucket
from identity_service.throttle import bucket

# More mistakes than somebody makes who knows the password, and then 288 guesses a day: too few for a password
# that is on no list of common ones.
OWN = (10, timedelta(minutes=5))
# Everybody behind one address, such as an office: successes are given back, so these are failures.
SOURCE = (100, timedelta(seconds=36))
# No hour sees more than 50 + 50 guesses from unknown sources, however many these are: the 100 of NIST SP 800-63B,
# without locking the account.
ACCOUNT = (50, timedelta(seconds=72))
# Three codes of a million are right at a time: 60 tries an hour find one in half a year, with the password.
CODE = (5, timedelta(minutes=1))


def password_buckets(email_key: str, device: Device, known: Collection[bytes]) -> tuple[Bucket, ...]:
    own = device.known_as(known)
    if own is not None:
        return (bucket(*OWN, "password", "known", email_key, own),)
    return (
        bucket(*OWN, "password", "unknown", email_key, device.source),
        bucket(*SOURCE, "password", "source", device.source),
        bucket(*ACCOUNT, "password", "account", email_key),
    )


def password_tries(email_key: str, device: Device) -> list[tuple[Bucket, ...]]:
    """Those of a stranger, then those of who is known by the first hash of the device, by the second."""
    return [password_buckets(email_key, device, known) for known in ((), *((each,) for each in device.hashes))]


def code_bucket(user_id: UUID, device: Device, known: Collection[bytes]) -> Bucket:
    """Unknown sources share one: with many of them a code would soon be found."""
    return bucket(*CODE, "code", user_id, device.known_as(known) or "unknown")


def confirmation_bucket(user_id: UUID) -> Bucket:
    """For the first code of a new authenticator app."""
    return bucket(*CODE, "confirm_totp", user_id)


def session_buckets(session_id: UUID) -> tuple[Bucket, Bucket]:
    """For the password and the code of somebody signed in: who stole the session has its tries, from everywhere."""
    return bucket(*OWN, "session password", session_id), bucket(*CODE, "session code", session_id)
