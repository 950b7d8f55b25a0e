"""Mails: which one a row of the outbox becomes, that none gets lost, and that the database holds no secret of them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from identity_service.constraint_errors import CONSTRAINT_ERRORS
from identity_service.mail.outbox import Outbox
from identity_service.queries import one_time_tokens
from shared.database import Database, Tx
from tenantry.testing.mail import Mailbox
from tenantry.testing.pair import Pair
from tenantry.testing.people import TestPerson
from tests.identity.conftest import Rows


@pytest.fixture
async def database(pair: Pair) -> AsyncIterator[Database]:
    """The pair's, as its handlers have it."""
    opened = Database(pair.identity.database_url, pool_size=2, name="test", constraint_errors=CONSTRAINT_ERRORS)
    yield opened
    await opened.close()


@pytest.fixture
def outbox() -> Outbox:
    """Another process's: the pair's worker hears of it by looking."""
    return Outbox()


def address() -> str:
    return f"ada.{uuid4().hex[:10]}@example.com"


async def pending(tx: Tx, purpose: str, email: str, person: TestPerson | None = None) -> UUID:
    """A token that no mail has handed out yet."""
    token_id = uuid7()
    await one_time_tokens.insert_one_time_token(
        tx,
        token_id=token_id,
        purpose=purpose,
        lifetime=timedelta(hours=1),
        email=email,
        user_id=UUID(person.user_id) if person else None,
        password_hash="$hash",
        display_name="Ada",
    )
    return token_id


async def tokens_of(rows: Rows, email: str) -> list[tuple[str, bytes | None, float]]:
    """(purpose, hash, seconds left) of each."""
    cursor = await rows.execute(
        """SELECT purpose, token_hash, extract(epoch FROM expire_time - now())::float FROM one_time_tokens
            WHERE email = %s ORDER BY create_time""",
        (email,),
    )
    return await cursor.fetchall()


async def outbox_of(rows: Rows, email: str) -> list[tuple[str, bool]]:
    """(template, whether it was sent) of each row; asked again until none is due."""
    for _ in range(500):
        cursor = await rows.execute(
            "SELECT template, sent_time IS NOT NULL FROM outbox_emails WHERE address = %s", (email,)
        )
        found = await cursor.fetchall()
        if all(sent for _, sent in found):
            break
        await asyncio.sleep(0.02)
    return found


def sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


async def test_a_sign_up_is_confirmed_with_a_secret_that_only_the_mail_has(
    database: Database, outbox: Outbox, mailbox: Mailbox, rows: Rows
) -> None:
    email = address()
    async with database.transaction() as tx:
        token_id = await pending(tx, "SIGN_UP", email)
        await outbox.put(tx, "sign_up", email, token_id=token_id, ip="203.0.113.7")
    mail = await mailbox.newest(email, "sign_up")
    [(purpose, token_hash, seconds)] = await tokens_of(rows, email)
    assert (purpose, token_hash) == ("SIGN_UP", sha256(mail.token))
    assert 86_300 < seconds <= 86_400
    assert "203.0.113.7" in mail.text
    assert mail.token in mail.html
    assert await outbox_of(rows, email) == [("sign_up", True)]
