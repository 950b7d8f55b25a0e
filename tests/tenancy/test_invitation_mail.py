"""The mail of an invitation: what it says, what it never says, and which secret counts when it is sent again."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from pydantic import ValidationError

from identity_service.mail.texts import NAMES as OF_IDENTITY
from protos.tenancy.v1.organizations_pb2 import CreateOrganizationRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from shared import one_time
from shared.mail.texts import NAMES
from shared.reasons import Reason
from shared.settings import describe
from tenancy_service.mail.compose import safe_name
from tenancy_service.mail.texts import LINKS as OF_TENANCY
from tenancy_service.settings import Settings
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, running_pair, tenancy_settings
from tenantry.testing.people import People
from tests.calls import fails
from tests.canaries import Canaries
from tests.identity.smtp_server import SmtpTestServer, smtp_server
from tests.tenancy.inviting import Inviting, an_address

URL = "postgresql://tenancy:password@db/tenancy"
DELETE_PLACE = "UPDATE organizations SET delete_time = now(), purge_time = now() WHERE organization_id = %s"
REVOKE = "UPDATE invitations SET state = 'REVOKED' WHERE invitation_id = %s"
HASH = "SELECT secret_hash FROM invitations WHERE invitation_id = %s"
FORGET = "UPDATE invitations SET secret_hash = NULL WHERE invitation_id = %s"
FAILED = "SELECT 1 FROM outbox_emails WHERE last_error IS NOT NULL"
SEND_AGAIN = "UPDATE outbox_emails SET sent_time = NULL, next_attempt_time = now() WHERE invitation_id = %s"
WAITING = """SELECT 1 FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%%invitations%%'"""
LINK = "https://app.example.com/invitation#token={token}"


@pytest.fixture
def inviting(pair: Pair) -> Inviting:
    return Inviting(pair)


async def organization(pair: Pair, people: People, owner: object, display_name: str) -> str:
    request = CreateOrganizationRequest(slug=people.slug(), display_name=display_name)
    response = await OrganizationServiceStub(pair.tenancy.channel).CreateOrganization(
        request,
        metadata=owner.metadata,  # type: ignore[attr-defined]
    )
    return response.organization.organization_id


async def test_it_says_who_invites_for_which_role_and_until_when(
    pair: Pair, inviting: Inviting, people: People
) -> None:
    ada = await people.person("Ada Lovelace")
    acme = await organization(pair, people, ada, "Müller & <b>Söhne</b>")
    made = await inviting.invite(ada, acme, an_address(), "ADMIN")
    mail = await inviting.mailbox.newest(made.email, "invitation")
    assert mail.subject == "You are invited to an organization on Tenantry"
    assert 'The organization "Müller & <b>Söhne</b>" on Tenantry' in mail.text
    assert "&quot;Müller &amp; &lt;b&gt;Söhne&lt;/b&gt;&quot;" in mail.html
    until = f"{made.expire_time.ToDatetime():until %d %B %Y, %H:%M} UTC"
    for part in (mail.text, mail.html):
        assert "Your role there would be: admin." in part
        assert until in part
        assert mail.token in part
        assert "Ada" not in part  # a name that a person chose, who invites whom they like
        assert ada.email not in part
        assert acme not in part


@pytest.mark.parametrize(
    "name",
    [
        "Pay at evil.example", "https://evil", "evil@example", "http:\\\\evil", "WWW evil", "Bücher.example now",
        "see //evil",
    ],
)  # fmt: skip
async def test_a_name_with_a_link_in_it_is_not_shown(name: str) -> None:
    assert safe_name(name, "acme") == "acme"


@pytest.mark.parametrize("name", ["Acme Inc.", "Müller & Söhne", "St. A. B.", "R/D <b>", "日本株式会社", "1,5 %"])
async def test_an_ordinary_name_is_shown(name: str) -> None:
    assert safe_name(name, "acme") == name


async def test_nothing_of_the_secret_is_stored(inviting: Inviting, people: People, canaries: Canaries) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, an_address())
    secret = await inviting.secret(made.email)
    [(stored,)] = await inviting.rows(HASH, made.invitation_id)
    assert bytes(stored) == one_time.hash_of(secret)
    assert secret in canaries.secrets  # so the whole suite is searched for it


@asynccontextmanager
async def over_smtp(databases: Databases, server: SmtpTestServer) -> AsyncIterator[tuple[People, Inviting]]:
    settings: dict[str, object] = {
        "SMTP_URL": f"smtp://127.0.0.1:{server.port}?starttls=off",
        "MAIL_FROM": "no-reply@example.com",
        "PRODUCT_NAME": "Acme Cloud",
        "INVITATION_URL": LINK,
    }
    async with running_pair(databases, tenancy=settings) as pair:
        yield People(pair), Inviting(pair)


def secrets_in(server: SmtpTestServer) -> list[str]:
    """Of the mails received, in order."""
    found = []
    for message in server.received:
        text = message.get_body(("plain",))
        assert text is not None
        [link] = re.findall(r"https://app\.example\.com/invitation#token=([\w-]{43})(?![\w-])", text.get_content())
        found.append(link)
    return found


async def make_due(inviting: Inviting) -> None:
    await inviting.rows("UPDATE outbox_emails SET next_attempt_time = now() WHERE sent_time IS NULL")


async def test_it_goes_over_smtp_with_a_link_and_what_failed_is_sent_again_with_another_secret(
    databases: Databases,
) -> None:
    async with smtp_server() as server, over_smtp(databases, server) as (people, inviting):
        server.data.append("451 later")
        ada, bo = await people.persons(2)
        acme = await people.organization(ada)
        made = await inviting.invite(ada, acme, an_address())
        await server.arrived.wait()
        while not await inviting.rows(FAILED):
            pass
        [(lost,)] = await inviting.rows(HASH, made.invitation_id)
        await make_due(inviting)
        await inviting.sent(made.invitation_id)
        [secret] = secrets_in(server)
        assert one_time.hash_of(secret) != bytes(lost)
        assert server.recipients == [made.email]
        assert server.received[0]["From"].addresses[0].display_name == "Acme Cloud"
        await inviting.accept(bo, secret=secret)


async def test_a_mail_on_its_way_while_another_is_asked_for_hands_out_nothing(databases: Databases) -> None:
    async with smtp_server() as server, over_smtp(databases, server) as (people, inviting):
        ada, bo = await people.persons(2)
        acme = await people.organization(ada)
        server.go_on.clear()
        made = await inviting.invite(ada, acme, an_address())
        await server.arrived.wait()  # composed, and held by the server
        await inviting.age(made.invitation_id)
        await inviting.resend(ada, made.invitation_id)
        assert await inviting.rows(HASH, made.invitation_id) == [(None,)]  # at once
        server.go_on.set()
        await inviting.sent(made.invitation_id)
        old, new = secrets_in(server)
        async with fails(Reason.INVITATION_NOT_FOUND):
            await inviting.accept(bo, secret=old)
        await inviting.accept(bo, secret=new)


async def test_a_mail_that_waits_to_be_tried_again_is_replaced_by_a_later_one(databases: Databases) -> None:
    async with smtp_server() as server, over_smtp(databases, server) as (people, inviting):
        server.data.append("451 later")
        ada = await people.person()
        made = await inviting.invite(ada, await people.organization(ada), an_address())
        while not await inviting.rows(FAILED):
            pass
        await inviting.age(made.invitation_id)
        await inviting.resend(ada, made.invitation_id)
        await make_due(inviting)
        await inviting.sent(made.invitation_id)
        assert len(server.received) == 1


async def test_what_has_ended_before_it_is_sent_is_not_sent(databases: Databases) -> None:
    async with smtp_server() as server, over_smtp(databases, server) as (people, inviting):
        server.data += ["451 later"] * 4
        ada = await people.person()
        acme, gone = await people.organization(ada), await people.organization(ada)
        revoked, expired, pending = [await inviting.invite(ada, acme, an_address()) for _ in range(3)]
        of_gone = await inviting.invite(ada, gone, an_address())
        while len(await inviting.rows(FAILED)) < 4:
            pass
        await inviting.revoke(ada, revoked.invitation_id)
        await inviting.expire(expired.invitation_id)
        await inviting.rows(DELETE_PLACE, gone)
        await make_due(inviting)
        for each in (revoked, expired, pending, of_gone):
            await inviting.sent(each.invitation_id)
        assert server.recipients == [pending.email]


async def test_a_mail_waits_for_whoever_is_just_taking_the_invitation_back(
    pair: Pair, inviting: Inviting, people: People
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, an_address())
    await inviting.sent(made.invitation_id)
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        await connection.execute(REVOKE, (made.invitation_id,))
        await inviting.rows(SEND_AGAIN, made.invitation_id)
        while not await inviting.rows(WAITING):
            assert len(inviting.mailbox.mails(made.email)) == 1
    await inviting.sent(made.invitation_id)
    assert len(inviting.mailbox.mails(made.email)) == 1


async def test_a_mail_gives_way_to_a_later_one_that_is_just_asked_for(
    pair: Pair, inviting: Inviting, people: People
) -> None:
    """The transaction of this test does what resending does, as slowly as it likes."""
    ada = await people.person()
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, an_address())
    await inviting.sent(made.invitation_id)
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        await connection.execute(FORGET, (made.invitation_id,))
        await inviting.rows(SEND_AGAIN, made.invitation_id)
        while not await inviting.rows(WAITING):
            assert len(inviting.mailbox.mails(made.email)) == 1
        await connection.execute("DELETE FROM outbox_emails WHERE invitation_id = %s", (made.invitation_id,))
    after = await inviting.invite(ada, acme, an_address())
    await inviting.sent(after.invitation_id)  # one after the other
    assert len(inviting.mailbox.mails(made.email)) == 1
    assert await inviting.rows(HASH, made.invitation_id) == [(None,)]


def settings(**changes: object) -> Settings:
    return tenancy_settings(URL, "localhost:1", **changes)


def test_one_folder_may_hold_the_texts_of_both_services(tmp_path: Path) -> None:
    assert set(NAMES) == {*OF_IDENTITY, *OF_TENANCY}
    (tmp_path / "sign_up.txt").write_text("what identity checks")
    (tmp_path / "invitation.txt").write_text("Subject: Hallo\n\n{{ organization }} {{ role }} {{ link or code }}")
    assert settings(MAIL_TEMPLATES=tmp_path).mail_templates == tmp_path
    (tmp_path / "invitation.html").write_text("<p>{{ inviter }}</p>")
    with pytest.raises(ValidationError) as caught:
        settings(MAIL_TEMPLATES=tmp_path)
    assert "invitation cannot be rendered: 'inviter' is undefined" in describe(Settings, caught.value)


def test_a_link_needs_a_place_for_the_secret() -> None:
    with pytest.raises(ValidationError) as caught:
        settings(INVITATION_URL="https://app.example.com/")
    assert "INVITATION_URL: needs an http(s) address with {token}" in describe(Settings, caught.value)
