"""The worker of the outbox: several at once, dying ones, files, and a database that goes away."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from shared.mail.outbox_emails import count_waiting_emails
from tenantry.testing.databases import Databases
from tenantry.testing.mail import Mailbox
from tenantry.testing.pair import identity_settings, running_identity
from tests.identity.own_outbox import OwnOutbox, an_address, own_outbox


@pytest.fixture
async def own(databases: Databases) -> AsyncIterator[OwnOutbox]:
    async with own_outbox(databases) as made:
        yield made


@pytest.fixture
def mails(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path)


def sent() -> float:
    return REGISTRY.get_sample_value("tenantry_mails_total", {"result": "sent"}) or 0.0


def files(folder: Path) -> dict[str, int]:
    """The modes by name."""
    return {path.name: path.stat().st_mode for path in folder.iterdir()}


async def test_two_workers_send_each_of_200_mails_once(own: OwnOutbox, tmp_path: Path) -> None:
    addresses = [an_address() for _ in range(200)]
    counted = sent()
    async with own.database.transaction() as tx:
        for each in addresses:
            await own.outbox.put(tx, "password_changed", each)
    async with own.database.single_read() as tx:
        assert await count_waiting_emails(tx, own.outbox.table) == 200
    async with own.working(MAIL_FOLDER=tmp_path), own.working(MAIL_FOLDER=tmp_path):
        for each in reversed(addresses):
            await own.becomes(each, sent=True)
    assert sent() - counted == 200
    async with own.database.single_read() as tx:
        assert await count_waiting_emails(tx, own.outbox.table) == 0
    assert sorted(name.split("-", 2)[2] for name in files(tmp_path)) == sorted(f"{a}.eml" for a in addresses)
    assert {(await own.row(each))["attempts"] for each in addresses} == {1}


async def test_who_dies_between_sending_and_noting_it_leaves_the_mail_to_others(
    own: OwnOutbox, mails: Mailbox, tmp_path: Path
) -> None:
    ada, bo = an_address(), an_address("bo")
    delivered = asyncio.Event()
    dying = own.worker(MAIL_FOLDER=tmp_path)
    deliver = dying._delivery._deliver  # type: ignore[attr-defined]

    async def deliver_and_die(mail: Any) -> None:
        await deliver(mail)
        delivered.set()
        await asyncio.Event().wait()

    dying._delivery._deliver = deliver_and_die  # type: ignore[attr-defined]
    await own.put(ada)
    running = asyncio.create_task(dying.run())
    await delivered.wait()
    running.cancel()
    async with own.working(MAIL_FOLDER=tmp_path):
        await own.put(bo)
        await own.becomes(bo, sent=True)
        row = await own.row(ada)  # not before its lease ends
        assert (row["attempts"], row["sent"]) == (1, False)
        assert 20 < row["due_in"] <= 30
        await own.make_due(ada)
        row = await own.becomes(ada, sent=True)
    assert row["attempts"] == 2
    assert len(mails.mails(ada)) == 2


async def test_mails_in_files_are_their_owners_alone_and_stay_in_the_folder(own: OwnOutbox, tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    hostile = "../../x/y'$(id)%00`;\"*?@example.com"
    async with own.working(MAIL_FOLDER=folder):
        for each in (hostile, "a/b@example.com", "ada@bücher.example", ada := an_address()):
            await own.put(each)
        await own.becomes(ada, sent=True)
        row = await own.becomes(hostile, dead=True)
    assert row["last_error"] == "no mail can be sent to such an address"
    names = [name.split("-", 2)[2] for name in sorted(files(folder))]
    assert names == ["a_b@example.com.eml", "ada@b_cher.example.eml", f"{ada}.eml"]
    assert {stat.S_IMODE(mode) for mode in files(folder).values()} == {0o600}
    assert stat.S_IMODE(files(folder.parent)["yet"]) == 0o700
    assert len(Mailbox(folder).mails("ada@bücher.example")) == 1
    assert files(tmp_path).keys() == {"not"}


async def test_a_folder_that_cannot_be_written_costs_nothing_but_time(own: OwnOutbox, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ada = an_address()
    async with own.working(MAIL_FOLDER=tmp_path / "file" / "mail"):
        await own.put(ada)
        row = await own.failed(ada)
    assert row["last_error"] == "NotADirectoryError: Not a directory"
    assert not row["dead"]


async def test_a_server_sends_what_another_process_put_and_nothing_that_was_rolled_back(
    own: OwnOutbox, mails: Mailbox, tmp_path: Path
) -> None:
    ada, bo = an_address(), an_address("bo")
    async with running_identity(identity_settings(own.url, MAIL_FOLDER=tmp_path)):
        with suppress(LookupError):
            async with own.database.transaction() as tx:
                await own.outbox.put(tx, "password_changed", bo)
                raise LookupError
        await own.put(ada)
        await mails.newest(ada, "password_changed")
    assert mails.mails(bo) == []


async def test_the_outbox_is_worked_on_again_after_the_database_was_away(
    own: OwnOutbox, mails: Mailbox, tmp_path: Path
) -> None:
    ada = an_address()
    async with own.working(MAIL_FOLDER=tmp_path):
        await own.put(an_address("first"))
        await own.rows.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = user"
            " AND datname = current_database()"
        )
        await own.put(ada)
        await mails.newest(ada, "password_changed")
