"""A new password with the token of a mail: whoever was in is out."""

import asyncio
from uuid import UUID, uuid4

import pytest

from protos.identity.v1 import credentials_pb2
from protos.identity.v1.sessions_pb2 import CreateSessionRequest, CreateSessionResponse
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.mail import Mailbox
from tenantry.testing.people import People, TestPerson, insert_session
from tests.calls import code, fails, outcome
from tests.identity.conftest import Rows, validate
from tests.identity.mailed import address, all_of, audited, mails_to, meanwhile, purposes_of, token_for, told, user_of

pytestmark = pytest.mark.usefixtures("nobody_throttled")

OLD, NEW = "tulip orbit canyon", "walnut glacier piano"
SESSIONS = "SELECT session_id FROM session WHERE user_id = %s"


def finish(token: str, new_password: str = NEW, request_id: str = "") -> credentials_pb2.FinishPasswordResetRequest:
    return credentials_pb2.FinishPasswordResetRequest(token=token, new_password=new_password, request_id=request_id)


async def answer(
    users: UserServiceStub, request: credentials_pb2.FinishPasswordResetRequest
) -> credentials_pb2.FinishPasswordResetResponse:
    return await users.FinishPasswordReset(request)


async def ask(users: UserServiceStub, email: str) -> credentials_pb2.StartPasswordResetResponse:
    return await users.StartPasswordReset(credentials_pb2.StartPasswordResetRequest(email=email))


async def signing_in(sessions: SessionServiceStub, person: TestPerson, password: str) -> CreateSessionResponse:
    return await sessions.CreateSession(CreateSessionRequest(email=person.email, password=password))


async def test_with_the_token_of_the_mail_a_new_password_is_set(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, mailbox: Mailbox, rows: Rows
) -> None:
    ada = await people.person("ada", OLD)
    await ask(users, ada.email.upper())
    await users.FinishPasswordReset(finish((await mailbox.newest(ada.email, "reset_password")).token))
    await mailbox.newest(ada.email, "password_changed")
    async with fails(Reason.SIGN_IN_FAILED):
        await signing_in(sessions, ada, OLD)
    await signing_in(sessions, ada, NEW)
    assert (await user_of(rows, ada.user_id)).version == 2


async def test_all_that_others_could_use_is_gone(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, bo = await people.persons(2, password=OLD)
    again = await people.session(ada)
    await signing_in(sessions, ada, OLD)  # from a known device, from now on
    token = await token_for(rows, "PASSWORD_RESET", ada)
    others = [await token_for(rows, purpose, ada) for purpose in ("PASSWORD_RESET", "EMAIL_VERIFICATION")]
    await token_for(rows, "EMAIL_CHANGE", ada, address("new"))
    await token_for(rows, "SECOND_FACTOR", ada)
    before = await told(rows, ada.user_id)
    await users.FinishPasswordReset(finish(token))
    assert await validate(sessions, ada.token, again.token, bo.token) == [
        "SESSION_INVALID",
        "SESSION_INVALID",
        bo.session_id,
    ]
    assert await all_of(rows, SESSIONS, ada.user_id) == []
    assert await purposes_of(rows, ada.user_id) == []
    assert await all_of(rows, "SELECT 1 FROM known_devices WHERE user_id = %s", ada.user_id) == []
    for used in (token, others[0]):
        async with fails(Reason.TOKEN_INVALID):
            await users.FinishPasswordReset(finish(used, OLD))
    assert (await told(rows, ada.user_id))[len(before) :] == [*["SESSION_ENDED"] * 3, "USER_UPDATED"]
    assert (await audited(rows, ada.user_id))[-1] == "PASSWORD_RESET"
    assert await mails_to(rows, ada.email) == ["password_changed"]


async def test_the_answer_to_asking_tells_nothing(users: UserServiceStub, people: People, rows: Rows) -> None:
    ada, without_password, suspended = await people.persons(3)
    await rows.execute("UPDATE users SET state = 'SUSPENDED' WHERE user_id = %s", (suspended.user_id,))
    asked = [ada.email, ada.email.upper(), without_password.email, suspended.email, address("nobody")]
    assert {await outcome(ask(users, email)) for email in asked} == {b"OK "}


async def test_a_bad_password_does_not_use_the_token_up(users: UserServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada", OLD)
    token = await token_for(rows, "PASSWORD_RESET", ada)
    for bad in ("", "x" * 14, "x" * 1025):
        async with fails(Reason.BAD_REQUEST) as failure:
            await users.FinishPasswordReset(finish(token, bad))
        assert set(failure.fields) == {"new_password"}
    assert (await user_of(rows, ada.user_id)).version == 1
    await users.FinishPasswordReset(finish(token))


async def test_all_bad_fields_are_named_at_once(users: UserServiceStub) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.FinishPasswordReset(finish("x" * 101, "short", request_id="7"))
    assert set(failure.fields) == {"token", "new_password", "request_id"}
    async with fails(Reason.BAD_REQUEST) as failure:
        await ask(users, "nobody")
    assert set(failure.fields) == {"email"}


async def test_who_has_no_token_learns_no_rule_of_an_account(users: UserServiceStub) -> None:
    """Too short for most accounts, long enough beside a second factor: only a good token tells which it is."""
    async with fails(Reason.TOKEN_INVALID):
        await users.FinishPasswordReset(finish("guessed", "lemon-42"))


async def test_eight_characters_are_enough_beside_a_second_factor(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada", OLD)
    await rows.execute("UPDATE users SET has_second_factor = true WHERE user_id = %s", (ada.user_id,))
    async with fails(Reason.BAD_REQUEST):
        await users.FinishPasswordReset(finish(await token_for(rows, "PASSWORD_RESET", ada), "x7-seve"))
    await users.FinishPasswordReset(finish(await token_for(rows, "PASSWORD_RESET", ada), "x7-eight"))
    assert (await user_of(rows, ada.user_id)).password_is_short
    # And it is asked for as before.
    response = await sessions.CreateSession(CreateSessionRequest(email=ada.email, password="x7-eight"))
    assert response.token == ""
    assert response.challenge.challenge_token
    await users.FinishPasswordReset(finish(await token_for(rows, "PASSWORD_RESET", ada)))
    assert not (await user_of(rows, ada.user_id)).password_is_short


async def test_a_short_password_does_not_outlive_the_second_factor(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    factor = "UPDATE users SET has_second_factor = %s WHERE user_id = %s"
    await rows.execute(factor, (True, ada.user_id))
    resetting = finish(await token_for(rows, "PASSWORD_RESET", ada), "x7-eight")
    async with meanwhile(rows, ada, answer(users, resetting)) as call:
        await rows.execute(factor, (False, ada.user_id))
    async with fails(Reason.CONFLICT):
        await call
    async with fails(Reason.BAD_REQUEST):  # tried again, as it says
        await answer(users, resetting)
    assert not (await user_of(rows, ada.user_id)).password_is_short


async def test_reading_the_mail_verifies_the_address(users: UserServiceStub, people: People, rows: Rows) -> None:
    ada, bo = await people.persons(2)
    verified = "SELECT email_verified_time FROM users WHERE user_id = %s"
    await rows.execute("UPDATE users SET email_verified_time = NULL WHERE user_id = %s", (ada.user_id,))
    before = await all_of(rows, verified, bo.user_id)
    for person in (ada, bo):
        await users.FinishPasswordReset(finish(await token_for(rows, "PASSWORD_RESET", person)))
    assert (await user_of(rows, ada.user_id)).is_verified
    assert await all_of(rows, verified, bo.user_id) == before


async def test_who_had_no_password_has_one_now(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    await users.FinishPasswordReset(finish(await token_for(rows, "PASSWORD_RESET", ada)))
    await signing_in(sessions, ada, NEW)


async def test_a_repeat_gets_the_first_answer_and_a_second_request_none(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    request = finish(await token_for(rows, "PASSWORD_RESET", ada), request_id=str(uuid4()))
    first = await users.FinishPasswordReset(request)
    hashed = (await user_of(rows, ada.user_id)).password_hash
    assert await users.FinishPasswordReset(request) == first
    assert (await user_of(rows, ada.user_id)).password_hash == hashed
    request.request_id = ""
    async with fails(Reason.TOKEN_INVALID):
        await users.FinishPasswordReset(request)


async def test_of_two_who_use_a_token_at_once_one_sets_the_password(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    for ada in await people.persons(5):
        token = await token_for(rows, "PASSWORD_RESET", ada)
        answers = await asyncio.gather(*(code(users.FinishPasswordReset(finish(token, each))) for each in (OLD, NEW)))
        assert sorted(answers) == ["NOT_FOUND", "OK"]
        won = (OLD, NEW)[answers.index("OK")]
        await rows.execute("DELETE FROM login_throttle")
        assert await code(signing_in(sessions, ada, won)) == "OK"


async def test_no_session_of_the_old_password_outlives_the_reset(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    """Signing in and resetting at the same moment: whichever is first. And while the reset waits, somebody does."""
    for ada in await people.persons(12, password=OLD):
        await rows.execute("DELETE FROM login_throttle")
        request = finish(await token_for(rows, "PASSWORD_RESET", ada))
        calls = (code(signing_in(sessions, ada, OLD)), code(users.FinishPasswordReset(request)))
        signed_in, reset = await asyncio.gather(*calls)
        assert reset == "OK"
        assert signed_in in ("OK", "ABORTED", "UNAUTHENTICATED")
        assert await all_of(rows, SESSIONS, ada.user_id) == []
    ada = await people.person("ada", OLD)
    resetting = answer(users, finish(await token_for(rows, "PASSWORD_RESET", ada)))
    async with meanwhile(rows, ada, resetting) as call:
        await insert_session(rows, UUID(ada.user_id))
    await call
    assert await all_of(rows, SESSIONS, ada.user_id) == []
