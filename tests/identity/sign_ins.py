"""What the tests of signing in share: requests, sources, second factors, and what throttling has counted."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
import pyotp

from identity_service.known_devices import Device
from identity_service.queries.login_throttle import Bucket
from identity_service.second_factor import SecondFactors, make_recovery_code, recovery_hash
from protos.identity.v1 import sessions_pb2 as pb
from shared.origin import Origin
from tenantry.testing.pair import Pair
from tenantry.testing.people import Metadata, People, TestPerson
from tests.identity.conftest import Rows

PASSWORD = "tulip orbit canyon"
WRONG = "another password"


def with_password(person: TestPerson | str, password: str = PASSWORD, **more: str) -> pb.CreateSessionRequest:
    """For a person, or an address."""
    email = person if isinstance(person, str) else person.email
    return pb.CreateSessionRequest(email=email, password=password, **more)


def via(source: str) -> Metadata:
    """From an address, as told by a trusted proxy."""
    return (("x-forwarded-for", source),)


def source() -> str:
    """An address that nobody has called from."""
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"


def device(address: str, token: str = "") -> Device:
    """As the server sees it."""
    return Device(Origin(address, "", None).source, token)


async def person_with_factor(people: People, pair: Pair) -> tuple[TestPerson, pyotp.TOTP, str]:
    """Somebody with PASSWORD, an authenticator app and a recovery code."""
    person = await people.person("ada", PASSWORD)
    app, sealed = SecondFactors(pair.identity_settings).new_secret(UUID(person.user_id))
    recovery_code = make_recovery_code()
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url) as connection:
        await connection.execute(
            "INSERT INTO totp_factors (user_id, secret, confirmed_time) VALUES (%s, %s, now())",
            (person.user_id, sealed),
        )
        await connection.execute(
            "INSERT INTO recovery_codes (user_id, code_hash) VALUES (%s, %s)",
            (person.user_id, recovery_hash(recovery_code)),
        )
        await connection.execute("UPDATE users SET has_second_factor = true WHERE user_id = %s", (person.user_id,))
    return person, app, recovery_code


async def use_up(rows: Rows, *buckets: Bucket) -> None:
    """No try is left in them."""
    for each in buckets:
        await rows.execute(
            """INSERT INTO login_throttle VALUES (%s, now() + %s)
                   ON CONFLICT (key) DO UPDATE SET allowed_at = excluded.allowed_at""",
            (each.key, each.step * each.burst),
        )


async def taken(rows: Rows, *buckets: Bucket) -> list[int]:
    """How many tries are taken from each at this moment."""
    query = "SELECT GREATEST(extract(epoch FROM allowed_at - now()), 0)::float8 FROM login_throttle WHERE key = %s"
    found = [await (await rows.execute(query, (each.key,))).fetchone() for each in buckets]
    return [
        round(float(row[0]) / each.step.total_seconds() + 0.49) if row else 0
        for row, each in zip(found, buckets, strict=True)
    ]


async def time_passes(rows: Rows, seconds: float, *buckets: Bucket) -> None:
    for each in buckets:
        await rows.execute(
            "UPDATE login_throttle SET allowed_at = allowed_at - make_interval(secs => %s) WHERE key = %s",
            (seconds, each.key),
        )


async def audited(rows: Rows, person: TestPerson) -> list[str]:
    """What was written down about somebody, in order."""
    query = "SELECT action FROM audit_events WHERE user_id = %s ORDER BY audit_event_id"
    return [row[0] for row in await (await rows.execute(query, (person.user_id,))).fetchall()]


async def events_of(rows: Rows, person: TestPerson) -> list[tuple[str, str]]:
    """The session events of somebody: (type, session_id)."""
    query = "SELECT type, session_id::text FROM events WHERE user_id = %s AND session_id IS NOT NULL ORDER BY event_id"
    found: Sequence[Any] = await (await rows.execute(query, (person.user_id,))).fetchall()
    return [(row[0], row[1]) for row in found]


async def somebody_waits(rows: Rows) -> None:
    """Until a call waits for a row that this connection has locked."""
    query = "SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    while (await (await rows.execute(query)).fetchone()) is None:  # noqa: ASYNC110 - the event is in the database
        await asyncio.sleep(0)
