"""Signing up: the account is made by whoever reads the mails of the address, and nobody else learns anything."""

from uuid import UUID, uuid4

import pytest

from protos.identity.v1.sessions_pb2 import CreateSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import USER_STATE_ACTIVE, FinishEmailVerificationRequest, SignUpRequest, User
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.mail import Mailbox
from tenantry.testing.pair import identity_settings, running_identity
from tenantry.testing.people import People
from tests.calls import fails, outcome
from tests.identity.conftest import Rows
from tests.identity.mailed import address, all_of, audited, sign_up_token, told

pytestmark = pytest.mark.usefixtures("nobody_throttled")

PASSWORD = "tulip orbit canyon"
WAITING = "SELECT t::text FROM one_time_tokens t WHERE lower(email) = lower(%s)"
ACCOUNTS = "SELECT user_id FROM users WHERE email_key = lower(%s)"


def sign_up(email: str, password: str = PASSWORD, **fields: str) -> SignUpRequest:
    return SignUpRequest(email=email, password=password, **fields)


async def follow(users: UserServiceStub, token: str) -> User:
    return (await users.FinishEmailVerification(FinishEmailVerificationRequest(token=token))).user


async def sign_in(sessions: SessionServiceStub, email: str, password: str) -> str:
    return (await sessions.CreateSession(CreateSessionRequest(email=email, password=password))).session.user_id


async def test_the_link_in_the_mail_makes_the_account(
    users: UserServiceStub, sessions: SessionServiceStub, mailbox: Mailbox, rows: Rows
) -> None:
    email = address("Ada.Lovelace")
    await users.SignUp(sign_up(email, display_name=" Ada "))
    mail = await mailbox.newest(email, "sign_up")
    assert "127.0.0.1" in mail.text
    assert await all_of(rows, ACCOUNTS, email) == []
    async with fails(Reason.SIGN_IN_FAILED):
        await sign_in(sessions, email, PASSWORD)
    user = await follow(users, mail.token)
    assert UUID(user.user_id).version == 7
    assert (user.email, user.display_name, user.etag) == (email, "Ada", "1")
    assert user.state == USER_STATE_ACTIVE
    assert user.email_verified_time == user.create_time
    assert await sign_in(sessions, email.lower(), PASSWORD) == user.user_id
    assert (await audited(rows, user.user_id))[0] == "USER_CREATED"
    assert (await told(rows, user.user_id))[0] == "USER_CREATED"


async def test_sign_up_can_be_switched_off(databases: Databases) -> None:
    url = databases.service_url("identity", databases.copy("identity"))
    async with running_identity(identity_settings(url, SIGN_UP="off")) as service, fails(Reason.SIGN_UP_CLOSED):
        await UserServiceStub(service.channel).SignUp(SignUpRequest(email="x", password="y"))


async def test_the_answer_does_not_tell_whether_the_address_is_taken(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    asked = [ada.email, ada.email.upper(), address("free")]
    assert {await outcome(users.SignUp(sign_up(email))) for email in asked} == {b"OK "}
    assert await all_of(rows, ACCOUNTS, asked[2]) == []


async def test_whoever_has_the_address_already_is_told_by_mail_and_nothing_changes(
    users: UserServiceStub, people: People, mailbox: Mailbox, rows: Rows
) -> None:
    ada = await people.person("ada")
    before = await all_of(rows, "SELECT u::text FROM users u WHERE user_id = %s", ada.user_id)
    await users.SignUp(sign_up(ada.email.upper()))
    await mailbox.newest(ada.email, "already_registered")
    assert await all_of(rows, WAITING, ada.email) == []
    assert await all_of(rows, "SELECT u::text FROM users u WHERE user_id = %s", ada.user_id) == before


async def test_only_the_password_of_the_sign_up_whose_link_is_followed_works(
    users: UserServiceStub, sessions: SessionServiceStub, mailbox: Mailbox
) -> None:
    """Somebody signs up with my address and a password of theirs, before and after I do."""
    email = address("me")
    await users.SignUp(sign_up(email, "password of somebody else"))
    theirs = await mailbox.newest(email, "sign_up")
    await users.SignUp(sign_up(email, display_name="Me"))
    mine = await mailbox.newest(email, "sign_up", after=theirs)
    await users.SignUp(sign_up(email.upper(), "password of another one"))
    last = await mailbox.newest(email, "sign_up", after=mine)
    user = await follow(users, mine.token)
    assert user.display_name == "Me"
    assert await sign_in(sessions, email, PASSWORD) == user.user_id
    for password in ("password of somebody else", "password of another one"):
        async with fails(Reason.SIGN_IN_FAILED):
            await sign_in(sessions, email, password)
    for mail in (theirs, mine, last):
        async with fails(Reason.TOKEN_INVALID):
            await follow(users, mail.token)
    assert await sign_in(sessions, email, PASSWORD) == user.user_id


async def test_an_address_that_got_an_account_meanwhile_gets_no_second_one(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    token = await sign_up_token(rows, ada.email.upper())
    async with fails(Reason.EMAIL_TAKEN):
        await follow(users, token)
    assert [str(each) for each in await all_of(rows, ACCOUNTS, ada.email)] == [ada.user_id]


async def test_the_links_of_other_addresses_stay_good(users: UserServiceStub, rows: Rows) -> None:
    one, other = [await sign_up_token(rows, email) for email in (address("a"), address("b"))]
    assert (await follow(users, one)).user_id != (await follow(users, other)).user_id


async def test_all_bad_fields_are_named_at_once_and_none_is_echoed(users: UserServiceStub) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.SignUp(sign_up("nobody", "short one", display_name="x" * 101, request_id="7"))
    assert set(failure.fields) == {"email", "password", "display_name", "request_id"}
    assert "nobody" not in failure.message
    assert "short one" not in failure.message


async def test_what_is_stored_opens_nothing(users: UserServiceStub, mailbox: Mailbox, rows: Rows) -> None:
    email = address()
    await users.SignUp(sign_up(email))
    token = (await mailbox.newest(email, "sign_up")).token
    [row] = await all_of(rows, WAITING, email)
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in row
    mails = await all_of(rows, "SELECT o::text FROM outbox_emails o WHERE address = %s", email)
    assert len(mails) == 1
    for text in (row, *mails):
        assert token not in text
        assert PASSWORD not in text


async def test_a_repeat_writes_one_mail(users: UserServiceStub, rows: Rows) -> None:
    request = sign_up(address(), request_id=str(uuid4()))
    await users.SignUp(request)
    request.password = "another password"  # is no part of what is compared, as its hash must not lie about
    await users.SignUp(request)
    assert len(await all_of(rows, WAITING, request.email)) == 1
    request.display_name = "Eve"
    async with fails(Reason.REQUEST_ID_REUSED):
        await users.SignUp(request)


async def test_an_address_is_signed_up_three_times_at_once(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    for email in (ada.email, address("nobody")):
        for _ in range(3):
            await users.SignUp(sign_up(email))
        async with fails(Reason.THROTTLED) as failure:
            await users.SignUp(sign_up(email.upper()))
        assert failure.retry_after is not None
        assert 0 < failure.retry_after <= 300
