"""What the tests of addresses and passwords share: tokens as mails hand them out, and what calls leave in tables."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from shared import one_time
from tenantry.testing.people import TestPerson, hash_of
from tests.identity.conftest import Rows

INSERT = """INSERT INTO one_time_tokens (token_id, purpose, token_hash, user_id, email, password_hash, display_name,
                                         expire_time)
            VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, %s, now() + make_interval(secs => %s))"""


@dataclass(frozen=True)
class User:
    """A row of users, as far as these tests look at it."""

    email: str
    email_key: str
    password_hash: str | None
    display_name: str
    state: str
    version: int
    is_verified: bool
    password_is_short: bool


def address(name: str = "ada") -> str:
    return f"{name}.{uuid4().hex[:8]}@example.com"


async def token_for(
    rows: Rows, purpose: str, person: TestPerson, email: str | None = None, *, seconds: float = 60
) -> str:
    """One that a mail has handed out; without an `email` it went to the person's own address."""
    token = one_time.make_token()
    of_user = (person.user_id, email or person.email, None, None)
    await rows.execute(INSERT, (purpose, one_time.hash_of(token), *of_user, seconds))
    return token


async def sign_up_token(rows: Rows, email: str, password: str = "", *, seconds: float = 60) -> str:
    """Without a password it has a hash that no password has, which costs nothing."""
    token = one_time.make_token()
    waiting = (None, email, hash_of(password) if password else "no hash", "Ada")
    await rows.execute(INSERT, ("SIGN_UP", one_time.hash_of(token), *waiting, seconds))
    return token


async def all_of(rows: Rows, query: str, *values: object) -> list[Any]:
    """The first column."""
    return [row[0] for row in await (await rows.execute(query, values)).fetchall()]


async def user_of(rows: Rows, user_id: str) -> User:
    query = """SELECT email, email_key, password_hash, display_name, state, version, email_verified_time IS NOT NULL,
                      password_is_short FROM users WHERE user_id = %s"""
    row = await (await rows.execute(query, (user_id,))).fetchone()
    assert row is not None
    return User(*row)


async def purposes_of(rows: Rows, user_id: str) -> list[str]:
    """Of the tokens that are out for somebody."""
    return await all_of(rows, "SELECT purpose FROM one_time_tokens WHERE user_id = %s ORDER BY purpose", user_id)


async def mails_to(rows: Rows, email: str) -> list[str]:
    """The templates of the mails to an address, in the order written."""
    return await all_of(rows, "SELECT template FROM outbox_emails WHERE address = %s ORDER BY email_id", email)


async def audited(rows: Rows, user_id: str | UUID) -> list[str]:
    query = "SELECT action FROM audit_events WHERE user_id = %s ORDER BY audit_event_id"
    return await all_of(rows, query, str(user_id))


async def told(rows: Rows, user_id: str) -> list[str]:
    """The events about somebody, in order."""
    return await all_of(rows, "SELECT type FROM events WHERE user_id = %s ORDER BY event_id", user_id)


@asynccontextmanager
async def meanwhile(
    rows: Rows, person: TestPerson, call: Coroutine[Any, Any, Any]
) -> AsyncIterator["asyncio.Task[Any]"]:
    """The block runs when the call has read and hashed, and waits for the person's row; its changes come first."""
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    async with rows.transaction():
        await rows.execute("SELECT 1 FROM users WHERE user_id = %s FOR UPDATE", (person.user_id,))
        task = asyncio.create_task(call)
        while not await all_of(rows, waits):
            assert not task.done(), "it did not wait"
        yield task
