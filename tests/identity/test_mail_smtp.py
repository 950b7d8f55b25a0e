"""Mails over SMTP, to a real server: TLS, login, what is tried again and what is given up."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.mail import worker as worker_module
from tenantry.testing.databases import Databases
from tests.identity.own_outbox import OwnOutbox, an_address, own_outbox
from tests.identity.smtp_server import LOGIN, LOGIN_IN_URL, make_certificate, server_context, smtp_server


@pytest.fixture
async def own(databases: Databases) -> AsyncIterator[OwnOutbox]:
    async with own_outbox(databases) as made:
        yield made


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's side of TLS that our side trusts, as an operator would have it: SSL_CERT_FILE."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return server_context(certificate)


def plain(port: int) -> dict[str, object]:
    return {"SMTP_URL": f"smtp://127.0.0.1:{port}?starttls=off", "MAIL_FROM": "no-reply@example.com"}


async def test_a_mail_arrives_over_starttls_after_a_login(own: OwnOutbox, trusted: ssl.SSLContext) -> None:
    ada = an_address()
    async with smtp_server(starttls=trusted, login=True) as server:
        settings = plain(server.port) | {"SMTP_URL": f"smtp://{LOGIN_IN_URL}@127.0.0.1:{server.port}"}
        async with own.working(**settings, PRODUCT_NAME="Müller & Co, Ltd"):
            await own.put(ada, ip="203.0.113.7")
            await own.becomes(ada, sent=True)
    [message] = server.received
    assert server.logins == [LOGIN]
    assert server.recipients == [ada]
    assert message["To"] == ada
    assert message["From"].addresses[0].addr_spec == "no-reply@example.com"
    assert message["From"].addresses[0].display_name == "Müller & Co, Ltd"
    assert message["Subject"] == "Your Müller & Co, Ltd password has changed"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.com>")
    assert message["Date"].datetime is not None
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


async def test_a_mail_arrives_over_tls_from_the_start(own: OwnOutbox, trusted: ssl.SSLContext) -> None:
    ada = an_address()
    async with smtp_server(tls=trusted) as server:
        settings = plain(server.port) | {"SMTP_URL": f"smtps://127.0.0.1:{server.port}"}
        async with own.working(**settings):
            await own.put(ada)
            await own.becomes(ada, sent=True)
    assert server.recipients == [ada]


async def test_a_server_that_nobody_vouches_for_gets_neither_mail_nor_password(
    own: OwnOutbox, certificate: Path
) -> None:
    ada = an_address()
    async with smtp_server(starttls=server_context(certificate), login=True) as server:
        settings = plain(server.port) | {"SMTP_URL": f"smtp://{LOGIN_IN_URL}@127.0.0.1:{server.port}"}
        async with own.working(**settings):
            await own.put(ada)
            row = await own.failed(ada)
    assert "certificate verify failed" in row["last_error"]
    assert (row["sent"], row["dead"]) == (False, False)
    assert (server.received, server.logins) == ([], [])


async def test_a_server_without_starttls_gets_nothing_unless_that_is_wanted(own: OwnOutbox) -> None:
    ada = an_address()
    async with smtp_server() as server:
        settings = plain(server.port) | {"SMTP_URL": f"smtp://127.0.0.1:{server.port}"}
        async with own.working(**settings):
            await own.put(ada)
            row = await own.failed(ada)
        assert "STARTTLS" in row["last_error"]
        assert server.received == []
        async with own.working(**plain(server.port)):
            await own.make_due(ada)
            await own.becomes(ada, sent=True)


async def test_a_wrong_password_of_ours_kills_no_mail(own: OwnOutbox, trusted: ssl.SSLContext) -> None:
    ada = an_address()
    async with smtp_server(starttls=trusted, login=True) as server:
        settings = plain(server.port) | {"SMTP_URL": f"smtp://tenantry:another@127.0.0.1:{server.port}"}
        async with own.working(**settings):
            await own.put(ada)
            row = await own.failed(ada)
    assert row["last_error"].startswith("SMTPAuthenticationError: 535")
    assert "another" not in row["last_error"]
    assert not row["dead"]


@pytest.mark.parametrize("at", ["rcpt", "data"])
async def test_what_the_server_wants_later_is_sent_later(own: OwnOutbox, at: str) -> None:
    ada = an_address()
    async with smtp_server() as server:
        getattr(server, at).append("451 try again later")
        async with own.working(**plain(server.port)):
            await own.put(ada)
            row = await own.failed(ada)
            assert row["last_error"].endswith(": 451 try again later")
            assert (row["sent"], row["dead"]) == (False, False)
            assert 20 < row["due_in"] <= 30
            await own.make_due(ada)
            row = await own.becomes(ada, sent=True)
    assert row["attempts"] == 2
    assert server.recipients == [ada]


@pytest.mark.parametrize("at", ["rcpt", "data"])
async def test_what_the_server_never_wants_is_given_up_and_holds_up_nothing(own: OwnOutbox, at: str) -> None:
    ada, bo = an_address(), an_address("bo")
    async with smtp_server() as server:
        getattr(server, at).append(f"550-no such \x07 mailbox {'x' * 400}\r\n550 {'y' * 400}")
        async with own.database.transaction() as tx:
            await own.outbox.put(tx, "password_changed", ada)
            await own.outbox.put(tx, "password_changed", bo)
        await own.rows.execute(
            "UPDATE outbox_emails SET next_attempt_time = now() - interval '1 s' WHERE address = %s", (ada,)
        )
        async with own.working(**plain(server.port)):
            await own.becomes(bo, sent=True)
            row = await own.row(ada)
            assert (row["dead"], row["sent"], row["attempts"]) == (True, False, 1)
            assert ": 550 no such   mailbox xxx" in row["last_error"]
            assert len(row["last_error"]) == 500
            await own.make_due(ada)
            await own.put(cy := an_address("cy"))
            await own.becomes(cy, sent=True)
    assert (await own.row(ada))["attempts"] == 1
    assert server.recipients == [bo, cy]


async def test_the_operator_can_have_a_dead_mail_sent_again(own: OwnOutbox) -> None:
    """With the statement of docs/operations.md."""
    ada = an_address()
    async with smtp_server() as server:
        server.rcpt.append("550 not yet")
        async with own.working(**plain(server.port)):
            await own.put(ada)
            await own.becomes(ada, dead=True)
            [again] = [line for line in operations() if line.startswith("UPDATE outbox_emails")]
            await own.rows.execute(again.replace("…", "TRUE"))
            await own.becomes(ada, sent=True)
    assert server.recipients == [ada]


def operations() -> list[str]:
    return (Path(__file__).parents[2] / "docs" / "operations.md").read_text().splitlines()


async def test_a_server_that_was_down_costs_nothing_but_time(own: OwnOutbox) -> None:
    ada, bo = an_address(), an_address("bo")
    async with smtp_server() as server:
        port = server.port
    async with own.working(**plain(port)):
        await own.put(ada)
        row = await own.failed(ada)
        assert row["last_error"].startswith("SMTPConnectError")
        async with smtp_server(port=port) as server:
            await own.put(bo)
            await own.becomes(bo, sent=True)
            await own.make_due(ada)
            await own.becomes(ada, sent=True)
    assert server.recipients == [bo, ada]


async def test_the_tenth_attempt_is_the_last(own: OwnOutbox) -> None:
    ada = an_address()
    async with smtp_server() as server:
        await own.put(ada)
        for attempts, waits in ((0, 30), (1, 60), (6, 1920), (7, 3600), (8, 3600)):
            server.rcpt.append("451 later")
            await own.rows.execute("UPDATE outbox_emails SET attempts = %s, last_error = NULL", (attempts,))
            await own.make_due(ada)
            async with own.working(**plain(server.port)):
                row = await own.becomes(ada, attempts=attempts + 1)
                assert waits - 10 < row["due_in"] <= waits
                assert not row["dead"]
        server.rcpt.append("451 later")
        await own.make_due(ada)
        async with own.working(**plain(server.port)):
            row = await own.becomes(ada, dead=True)
    assert row["attempts"] == 10


async def test_a_mail_that_ends_its_workers_is_given_up_too(own: OwnOutbox) -> None:
    ada = an_address()
    await own.put(ada)
    await own.rows.execute("UPDATE outbox_emails SET attempts = 10")
    async with smtp_server() as server, own.working(**plain(server.port)):
        row = await own.becomes(ada, dead=True)
    assert row["last_error"] == "given up after 10 attempts"
    assert server.received == []


async def test_many_mails_go_over_one_connection(own: OwnOutbox) -> None:
    addresses = [an_address() for _ in range(20)]
    async with own.database.transaction() as tx:
        for each in addresses:
            await own.outbox.put(tx, "password_changed", each)
    async with smtp_server() as server, own.working(**plain(server.port)):
        for each in addresses:
            await own.becomes(each, sent=True)
    assert sorted(server.recipients) == sorted(addresses)
    assert server.connections == 1


async def test_stopping_finishes_the_mail_under_way_and_no_other(own: OwnOutbox) -> None:
    ada, bo = an_address(), an_address("bo")
    async with smtp_server() as server:
        server.go_on.clear()
        worker = own.worker(**plain(server.port))
        worker.start()
        await own.put(ada)
        await server.arrived.wait()
        await own.put(bo)
        closing = asyncio.create_task(worker.close())
        await asyncio.sleep(0)
        server.go_on.set()
        await closing
    assert (await own.row(ada))["sent"]
    assert (await own.row(bo))["attempts"] == 0
    assert server.recipients == [ada]


async def test_stopping_does_not_wait_for_a_server_that_hangs(own: OwnOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "STOP_SECONDS", 0.1)
    ada = an_address()
    async with smtp_server() as server:
        server.go_on.clear()
        async with own.working(**plain(server.port)):
            await own.put(ada)
            await server.arrived.wait()
        row = await own.row(ada)
    assert (row["sent"], row["dead"], row["attempts"]) == (False, False, 1)


async def test_a_server_that_says_nothing_is_left_before_the_lease_ends(
    own: OwnOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "DELIVERY_SECONDS", 0.1)
    ada = an_address()
    async with smtp_server() as server:
        server.go_on.clear()
        async with own.working(**plain(server.port)):
            await own.put(ada)
            row = await own.failed(ada)
    assert row["last_error"].startswith("no answer for")
    assert 0 < row["due_in"] <= 30
