"""SQL of signing in with a password: what is asked before it is checked, the same for everybody, and after it.

Each is one round trip: beside many sign-ins everybody else waits for the turns of the event loop that these take.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from identity_service.queries.known_devices import REMEMBERED
from identity_service.queries.login_throttle import ASKED, GIVEN, TAKEN, WAITING, Bucket, Taken, arrays
from identity_service.queries.sessions import BEGUN, BEGUN_SESSION, BegunSession
from shared.database import Database

# The tries are those of the first of the device's hashes that is known, which has the place 1 or 2; else those of a
# stranger, which have 0.
TAKE = f"""
WITH account AS (
  SELECT user_id, state, password_hash, has_second_factor,
         ARRAY(SELECT device_hash
                 FROM known_devices
                WHERE user_id = users.user_id AND device_hash = ANY(%(hashes)s::bytea[])) AS known
    FROM users
   WHERE email_key = %(email_key)s AND state <> 'DELETED'),
device AS (
  SELECT COALESCE(min(array_position(%(hashes)s::bytea[], device_hash)), 0) AS place
    FROM account, unnest(known) AS device_hash),
asked AS (
  SELECT key, step, slack
    FROM unnest(%(places)s::int[], %(keys)s::bytea[], %(steps)s::interval[], %(slacks)s::interval[])
         AS asked (place, key, step, slack)
    JOIN device USING (place)),
{WAITING},
{TAKEN}
SELECT place, seconds, ARRAY(SELECT key FROM taken), user_id, state, password_hash, has_second_factor, known
  FROM device CROSS JOIN waiting LEFT JOIN account ON true"""  # noqa: S608 - parts of our own

LOCK = "SELECT user_id, state, password_hash, has_second_factor FROM users WHERE user_id = %(user_id)s FOR UPDATE"

# Right after LOCK, in its transaction: what it saw still holds, and this sees it too.
SIGN_IN = f"""
WITH person AS (
  SELECT user_id
    FROM users
   WHERE user_id = %(user_id)s AND state = 'ACTIVE' AND password_hash = %(password_hash)s AND NOT has_second_factor),
{BEGUN},
{REMEMBERED},
{ASKED},
{GIVEN},
given_back AS (
  UPDATE login_throttle t SET allowed_at = t.allowed_at - step FROM person, given WHERE t.key = given.key)
{BEGUN_SESSION}"""  # noqa: S608 - parts of our own


class Account(NamedTuple):
    user_id: UUID
    state: str
    password_hash: str | None
    has_second_factor: bool


class Asked(NamedTuple):
    """Who would sign in, with those of the device's hashes that are known, and which tries were taken."""

    account: Account | None
    known: Sequence[bytes]
    tries: Sequence[Bucket]
    taken: Taken


async def get_account_and_insert_tries(
    database: Database, *, email_key: str, hashes: Sequence[bytes], tries: Sequence[Sequence[Bucket]]
) -> Asked:
    """Take from `tries[0]` for a stranger, from `tries[n]` for a device whose first known hash is the n-th."""
    places = [(place, bucket) for place, buckets in enumerate(tries) for bucket in buckets]
    values = {
        "email_key": email_key,
        "hashes": list(hashes),
        "places": [place for place, _ in places],
        **arrays([bucket for _, bucket in places]),
    }
    [[row]] = await database.hot_write((TAKE, values))
    place, wait, keys, user_id, *account, known = row
    return Asked(
        Account(user_id, *account) if user_id is not None else None, known or [], tries[place], Taken(wait, keys)
    )


async def lock_account_and_insert_session(
    database: Database,
    *,
    account: Account,
    new: Mapping[str, object],
    hashes: Sequence[bytes],
    tries: Sequence[Bucket],
) -> tuple[Account | None, BegunSession | None]:
    """The account as it is now, and if a session may begin with no more than that password, the session.

    The device is then remembered by its hashes, and the tries come back.
    """
    values = {**new, "password_hash": account.password_hash, "hashes": list(hashes), **arrays(tries)}
    accounts, begun = await database.hot_write((LOCK, values), (SIGN_IN, values))
    return Account(*accounts[0]) if accounts else None, BegunSession(*begun[0]) if begun else None
