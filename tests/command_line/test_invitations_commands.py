"""`tenantry invitations`: by mail to an address, with roles."""

from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tenantry.testing.mail import Mailbox
from tests.command_line.invoked import invoke, told
from tests.command_line.launched import Launched
from tests.command_line.people_and_places import lines, member, organization, person, project, refused


@pytest.fixture(scope="module")
def acme(up: Launched) -> str:
    return organization(up, person(up))


@pytest.fixture
def address() -> str:
    return f"new.{uuid4().hex[:8]}@example.com"


def test_an_address_is_invited_with_roles_on_projects(up: Launched, acme: str, address: str) -> None:
    project(up, acme), project(up, acme, "web")
    roles = ("--project", "api=editor", "--project", "web=NONE")
    made = told(up.folder, "invitations", "create", acme, address, "--role", "MEMBER", *roles)
    assert (made["email"], made["role"], made["state"]) == (address, "MEMBER", "PENDING")
    assert [on["role"] for on in made["project_roles"]] == ["EDITOR", "NONE"]
    assert made["inviter_service"] == "operator"
    [row] = lines(up, "invitations", "list", acme, "--filter", f'email = "{address}"')
    assert (row["email"], row["role"], row["state"], row["project_roles"]) == (
        address,
        "MEMBER",
        "PENDING",
        "api=EDITOR, web=NONE",
    )


@pytest.mark.parametrize("wrong", ["api", "=EDITOR", "api=", "api=OWNER"])
def test_a_role_on_a_project_is_written_with_both(up: Launched, acme: str, address: str, wrong: str) -> None:
    assert refused(up, "invitations", "create", acme, address, "--role", "MEMBER", "--project", wrong, status=2)


def test_a_project_that_is_not_there_is_told_before_anybody_is_invited(up: Launched, acme: str, address: str) -> None:
    said = refused(up, "invitations", "create", acme, address, "--role", "MEMBER", "--project", "nothing=ADMIN")
    assert said[0].startswith(f"error: there is no project {acme}/nothing")
    assert lines(up, "invitations", "list", acme, "--filter", f'email = "{address}"') == []


def test_a_second_invitation_ends_with_the_command_that_sends_the_first_again(
    up: Launched, acme: str, address: str
) -> None:
    told(up.folder, "invitations", "create", acme, address, "--role", "GUEST")
    said = refused(up, "invitations", "create", acme, address, "--role", "GUEST")
    assert "INVITATION_EXISTS" in said[0]
    assert said[1] == f"send it again:  tenantry invitations resend {acme} {address}"


def test_a_member_is_not_invited(up: Launched, acme: str) -> None:
    bo = member(up, acme)
    said = refused(up, "invitations", "create", acme, bo, "--role", "ADMIN")
    assert "ALREADY_A_MEMBER" in said[0]
    assert said[1] == f"change the role:  tenantry members update {acme} {bo} --role ADMIN"


def test_one_is_sent_again_and_revoked_by_its_address_or_id(up: Launched, acme: str, address: str) -> None:
    made = told(up.folder, "invitations", "create", acme, address, "--role", "MEMBER")
    said = refused(up, "invitations", "resend", acme, address)
    assert "THROTTLED" in said[0]
    a_day_passes(up, made["invitation_id"])
    sent = told(up.folder, "invitations", "resend", acme, address.upper())
    assert sent["invitation_id"] == made["invitation_id"]
    assert sent["expire_time"] >= made["expire_time"]
    revoked = invoke(up.folder, "invitations", "revoke", acme, made["invitation_id"])
    assert revoked.stdout == f"{address}   {made['invitation_id']}   MEMBER   REVOKED\n"
    for verb in ("revoke", "resend"):
        assert refused(up, "invitations", verb, acme, address) == [
            f"error: {address} has no pending invitation to {acme}",
            f"invite them:  tenantry invitations create {acme} {address} --role MEMBER",
        ]


def a_day_passes(up: Launched, invitation_id: str) -> None:
    """Since its last mail."""
    with psycopg.connect(up.state["tenancy"]["database_url"]) as tenancy:
        aged = "UPDATE invitations SET update_time = update_time - interval '1 day' WHERE invitation_id = %s"
        tenancy.execute(aged, [invitation_id])


async def test_the_secret_of_the_mail_is_not_printed(up: Launched, acme: str, address: str) -> None:
    shown = invoke(up.folder, "invitations", "create", acme, address, "--role", "MEMBER", "--json").output
    mail = await Mailbox(Path(up.state["mail"])).newest(address)
    for arguments in (["list", acme], ["list", acme, "--json"]):
        shown += invoke(up.folder, "invitations", *arguments).output
    assert address in shown
    assert mail.token not in shown
