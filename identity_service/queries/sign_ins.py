"""SQL of signing in with a password: one statement before it is checked, the same for everybody, and one after it."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from identity_service.queries.login_throttle import TAKEN, WAITING, Bucket, Taken, arrays
from shared.database import Database, HotTx, fetch

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
    [row] = await database.hot_write(TAKE, values)
    place, wait, keys, user_id, *account, known = row
    return Asked(
        Account(user_id, *account) if user_id is not None else None, known or [], tries[place], Taken(wait, keys)
    )


async def lock_account(tx: HotTx, *, user_id: UUID) -> Account | None:
    """Also a deleted one. Until the transaction ends nobody changes or deletes them, or signs in as them."""
    rows = await fetch(tx, LOCK, {"user_id": user_id})
    return Account(*rows[0]) if rows else None
