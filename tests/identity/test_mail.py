"""Mails: which one a row of the outbox becomes, that none gets lost, and that the database holds no secret of them."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from identity_service.mail.texts import Template
from identity_service.queries import one_time_tokens
from shared.mail.worker import Worker
from tenantry.testing.databases import Databases
from tenantry.testing.mail import Mailbox
from tests.identity.conftest import Rows
from tests.identity.own_outbox import SECONDS, OwnOutbox, an_address, own_outbox

INSERT_USER = """INSERT INTO users (user_id, email, email_key, display_name, state, email_verified_time, delete_time)
                 VALUES (%(id)s, %(email)s, %(email)s, 'Ada', %(state)s, CASE WHEN %(verified)s THEN now() END,
                         CASE WHEN %(state)s = 'DELETED' THEN now() END)"""


@pytest.fixture
async def own(databases: Databases) -> AsyncIterator[OwnOutbox]:
    async with own_outbox(databases) as made:
        yield made


@pytest.fixture
def mails(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path)


@pytest.fixture
async def worker(own: OwnOutbox, tmp_path: Path) -> AsyncIterator[Worker]:
    """At work all the time."""
    async with own.working(MAIL_FOLDER=tmp_path) as working:
        yield working


async def user(own: OwnOutbox, email: str, *, state: str = "ACTIVE", verified: bool = False) -> UUID:
    user_id = uuid7()
    await own.rows.execute(INSERT_USER, {"id": user_id, "email": email, "state": state, "verified": verified})
    return user_id


async def put_with_token(own: OwnOutbox, template: Template, email: str, user_id: UUID | None = None) -> None:
    """As SignUp and ChangeEmail do: a token that nothing opens yet, and the mail that will hand it out."""
    token_id = uuid7()
    async with own.database.transaction() as tx:
        await one_time_tokens.insert_one_time_token(
            tx,
            token_id=token_id,
            purpose="SIGN_UP" if user_id is None else "EMAIL_CHANGE",
            lifetime=timedelta(hours=2),
            email=email,
            user_id=user_id,
            password_hash="$argon2id$",
            display_name="Ada",
        )
        await own.outbox.put(tx, template, email, token_id=token_id, ip="203.0.113.7")


async def all_rows(rows: Rows, table: str) -> list[dict[str, Any]]:
    """Oldest first."""
    cursor = await rows.execute(f"SELECT to_jsonb(t) FROM {table} AS t ORDER BY create_time")
    return [row for (row,) in await cursor.fetchall()]


async def nothing_is_left(own: OwnOutbox) -> None:
    """As soon as the worker has found that there is nothing to send."""
    deadline = time.monotonic() + SECONDS
    while await all_rows(own.rows, "outbox_emails"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def stored(token: str) -> str:
    """Its hash as JSON shows a bytea."""
    return "\\x" + hashlib.sha256(token.encode()).hexdigest()


async def lifetimes(own: OwnOutbox) -> list[float]:
    """Seconds that each token has left."""
    cursor = await own.rows.execute(
        "SELECT extract(epoch FROM expire_time - now())::float FROM one_time_tokens ORDER BY create_time"
    )
    return [seconds for (seconds,) in await cursor.fetchall()]


@pytest.mark.usefixtures("worker")
async def test_a_sign_up_is_confirmed_with_a_secret_that_only_the_mail_has(own: OwnOutbox, mails: Mailbox) -> None:
    ada = an_address()
    await put_with_token(own, "sign_up", ada)
    mail = await mails.newest(ada, "sign_up")
    [token] = await all_rows(own.rows, "one_time_tokens")
    assert token["token_hash"] == stored(mail.token)
    assert (token["purpose"], token["password_hash"]) == ("SIGN_UP", "$argon2id$")
    assert 86_390 < (await lifetimes(own))[0] <= 86_400
    assert "203.0.113.7" in mail.text
    assert "Ada" not in mail.text + mail.html
    assert mail.token in mail.html
    await own.becomes(ada, sent=True, attempts=1)


@pytest.mark.parametrize("state", ["ACTIVE", "SUSPENDED"])
@pytest.mark.usefixtures("worker")
async def test_who_signs_up_again_is_told_so_by_mail_alone(own: OwnOutbox, mails: Mailbox, state: str) -> None:
    ada = an_address()
    await user(own, ada, state=state)
    await put_with_token(own, "sign_up", ada)
    mail = await mails.newest(ada)
    assert mail.template == "already_registered"
    assert mail.subject == "You already have an account at Tenantry"
    with pytest.raises(AssertionError):
        _ = mail.token
    assert await all_rows(own.rows, "one_time_tokens") == []


@pytest.mark.usefixtures("worker")
async def test_the_address_of_a_deleted_account_can_sign_up(own: OwnOutbox, mails: Mailbox) -> None:
    ada = an_address()
    await user(own, ada, state="DELETED")
    await put_with_token(own, "sign_up", ada)
    assert (await mails.newest(ada)).template == "sign_up"


@pytest.mark.usefixtures("worker")
async def test_an_address_can_be_verified_later(own: OwnOutbox, mails: Mailbox) -> None:
    ada = an_address()
    user_id = await user(own, ada)
    await own.put(ada.upper(), "verify_email")
    mail = await mails.newest(ada, "verify_email")
    [token] = await all_rows(own.rows, "one_time_tokens")
    assert (token["purpose"], token["user_id"], token["email"]) == ("EMAIL_VERIFICATION", str(user_id), ada)
    assert token["token_hash"] == stored(mail.token)
    assert 86_390 < (await lifetimes(own))[0] <= 86_400


@pytest.mark.usefixtures("worker")
async def test_a_forgotten_password_is_reset_with_a_mail_and_leaves_a_trace(own: OwnOutbox, mails: Mailbox) -> None:
    ada = an_address()
    user_id = await user(own, ada, verified=True)
    await own.put(ada, "reset_password", ip="203.0.113.7")
    mail = await mails.newest(ada, "reset_password")
    [token] = await all_rows(own.rows, "one_time_tokens")
    assert (token["purpose"], token["user_id"]) == ("PASSWORD_RESET", str(user_id))
    assert token["token_hash"] == stored(mail.token)
    assert 890 < (await lifetimes(own))[0] <= 900
    [event] = await all_rows(own.rows, "audit_events")
    assert (event["action"], event["user_id"]) == ("PASSWORD_RESET_STARTED", str(user_id))
    assert (event["ip"], event["actor_user_id"], event["details"]) == ("203.0.113.7", None, {})


@pytest.mark.parametrize(
    ("template", "state", "verified"),
    [
        ("verify_email", None, False),
        ("verify_email", "ACTIVE", True),
        ("verify_email", "SUSPENDED", False),
        ("verify_email", "DELETED", False),
        ("reset_password", None, False),
        ("reset_password", "SUSPENDED", False),
        ("reset_password", "DELETED", False),
    ],
)
@pytest.mark.usefixtures("worker")
async def test_who_has_no_account_to_use_gets_no_mail_and_leaves_nothing(
    own: OwnOutbox, mails: Mailbox, template: Template, state: str | None, verified: bool
) -> None:
    ada = an_address()
    if state:
        await user(own, ada, state=state, verified=verified)
    await own.put(ada, template, ip="203.0.113.7")
    await nothing_is_left(own)
    assert mails.mails(ada) == []
    assert await all_rows(own.rows, "one_time_tokens") == []
    assert await all_rows(own.rows, "audit_events") == []


@pytest.mark.usefixtures("worker")
async def test_a_new_address_is_confirmed_by_who_reads_it(own: OwnOutbox, mails: Mailbox) -> None:
    user_id = await user(own, an_address())
    new = an_address("new")
    await put_with_token(own, "change_email", new, user_id)
    mail = await mails.newest(new, "change_email")
    [token] = await all_rows(own.rows, "one_time_tokens")
    assert (token["purpose"], token["user_id"]) == ("EMAIL_CHANGE", str(user_id))
    assert token["token_hash"] == stored(mail.token)
    assert 3590 < (await lifetimes(own))[0] <= 3600


@pytest.mark.usefixtures("worker")
async def test_an_address_of_somebody_else_is_not_taken_over(own: OwnOutbox, mails: Mailbox) -> None:
    user_id, new = await user(own, an_address()), an_address("new")
    await user(own, new)
    await put_with_token(own, "change_email", new, user_id)
    assert (await mails.newest(new)).template == "already_registered"
    assert await all_rows(own.rows, "one_time_tokens") == []


@pytest.mark.usefixtures("worker")
async def test_ones_own_address_can_be_written_differently(own: OwnOutbox, mails: Mailbox) -> None:
    ada = an_address()
    user_id = await user(own, ada)
    await put_with_token(own, "change_email", ada.replace("ada", "ADA"), user_id)
    assert (await mails.newest(ada)).template == "change_email"


@pytest.mark.usefixtures("worker")
async def test_a_suspended_person_changes_no_address(own: OwnOutbox, mails: Mailbox) -> None:
    user_id, new = await user(own, an_address(), state="SUSPENDED"), an_address("new")
    await put_with_token(own, "change_email", new, user_id)
    await nothing_is_left(own)
    assert mails.mails(new) == []


@pytest.mark.parametrize(
    ("template", "shown", "says"),
    [
        ("email_change_started", {"ip": "203.0.113.7"}, "from the internet address 203.0.113.7."),
        ("email_changed", {"ip": "203.0.113.7"}, "from the internet address 203.0.113.7."),
        ("password_changed", {}, "UTC."),
        ("second_factor_changed", {"ip": "203.0.113.7"}, "from the internet address 203.0.113.7."),
    ],
)
@pytest.mark.usefixtures("worker")
async def test_a_notice_goes_to_its_address_whoever_has_it_now(
    own: OwnOutbox, mails: Mailbox, template: Template, shown: dict[str, str], says: str
) -> None:
    ada = an_address()
    await own.put(ada, template, **shown)
    assert says in (await mails.newest(ada, template)).text


@pytest.mark.parametrize("template", ["sign_up", "change_email", "reset_password"])
@pytest.mark.usefixtures("worker")
async def test_a_mail_that_is_sent_again_leaves_the_first_one_good(
    own: OwnOutbox, mails: Mailbox, template: Template
) -> None:
    """Both may have arrived; neither makes anybody's link useless."""
    ada = an_address()
    if template == "sign_up":
        await put_with_token(own, template, ada)
    elif template == "change_email":
        await put_with_token(own, template, ada, await user(own, an_address()))
    else:
        await user(own, ada)
        await own.put(ada, template)
    first = await mails.newest(ada)
    await own.becomes(ada, sent=True)
    await own.rows.execute("UPDATE outbox_emails SET sent_time = NULL")
    await own.make_due(ada)
    second = await mails.newest(ada, after=first)
    one, other = await all_rows(own.rows, "one_time_tokens")
    assert {one["token_hash"], other["token_hash"]} == {stored(first.token), stored(second.token)}
    for name in ("purpose", "email", "user_id", "password_hash", "display_name"):
        assert one[name] == other[name]


@pytest.mark.usefixtures("worker")
async def test_a_mail_whose_token_was_used_is_not_sent_again(own: OwnOutbox, mails: Mailbox) -> None:
    ada = an_address()
    await put_with_token(own, "sign_up", ada)
    await mails.newest(ada)
    await own.becomes(ada, sent=True)
    await own.rows.execute("DELETE FROM one_time_tokens")
    await own.rows.execute("UPDATE outbox_emails SET sent_time = NULL")
    await own.make_due(ada)
    await nothing_is_left(own)
    assert len(mails.mails(ada)) == 1


@pytest.mark.usefixtures("worker")
async def test_the_database_holds_no_secret_of_any_mail(own: OwnOutbox, mails: Mailbox) -> None:
    ada, bo, cy, di = (an_address(name) for name in ("ada", "bo", "cy", "di"))
    await user(own, bo)
    await user(own, cy)
    await put_with_token(own, "sign_up", ada)
    await own.put(bo, "verify_email")
    await own.put(cy, "reset_password")
    await put_with_token(own, "change_email", di, await user(own, an_address()))
    tokens = [(await mails.newest(each)).token for each in (ada, bo, cy, di)]
    assert len(set(tokens)) == 4
    cursor = await own.rows.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    everything = ""
    for (table,) in await cursor.fetchall():
        of_table = await own.rows.execute(f"SELECT to_jsonb(t)::text FROM {table} AS t")
        everything += " ".join(text for (text,) in await of_table.fetchall())
    assert ada in everything
    for token in tokens:
        assert token not in everything
        assert token.encode().hex() not in everything  # as a bytea would show it
        assert stored(token).removeprefix("\\x") in everything
