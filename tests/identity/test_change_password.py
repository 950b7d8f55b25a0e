"""A new password for somebody who knows the old one: this device stays signed in, all others do not."""

import asyncio

import pytest

from protos.identity.v1 import credentials_pb2
from protos.identity.v1.sessions_pb2 import CreateSessionRequest, GetSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.mail import Mailbox
from tenantry.testing.people import People, TestPerson
from tests.calls import code, fails
from tests.identity.conftest import Rows, validate
from tests.identity.mailed import all_of, audited, meanwhile, purposes_of, token_for, told, user_of

pytestmark = pytest.mark.usefixtures("nobody_throttled")

OLD, NEW = "tulip orbit canyon", "walnut glacier piano"


async def change(
    users: UserServiceStub, person: TestPerson, new: str = NEW, current: str = OLD
) -> credentials_pb2.ChangePasswordResponse:
    request = credentials_pb2.ChangePasswordRequest(current_password=current, new_password=new)
    return await users.ChangePassword(request, metadata=person.metadata)


@pytest.fixture
async def ada(people: People) -> TestPerson:
    return await people.person("ada", OLD)


async def test_the_new_password_signs_in_and_the_old_one_does_not(
    users: UserServiceStub, sessions: SessionServiceStub, ada: TestPerson, rows: Rows, mailbox: Mailbox
) -> None:
    await change(users, ada)
    await sessions.CreateSession(CreateSessionRequest(email=ada.email, password=NEW))
    async with fails(Reason.SIGN_IN_FAILED):
        await sessions.CreateSession(CreateSessionRequest(email=ada.email, password=OLD))
    await mailbox.newest(ada.email, "password_changed")
    user = await user_of(rows, ada.user_id)
    assert (user.version, user.password_is_short) == (2, False)


async def test_all_sessions_end_and_this_device_gets_a_new_one(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, ada: TestPerson, rows: Rows
) -> None:
    other, bo = await people.session(ada), await people.person("bo")
    await rows.execute(
        "UPDATE session SET amr = '{pwd,otp,mfa}', device_name = 'Laptop', auth_time = now() - interval '4 minutes'"
        " WHERE sid = %s",
        (ada.sid,),
    )
    response = await change(users, ada)
    new = response.session
    assert await validate(sessions, ada.token, other.token, response.token, bo.token) == [
        "SESSION_INVALID",
        "SESSION_INVALID",
        new.session_id,
        bo.session_id,
    ]
    assert new.session_id != ada.session_id
    assert (new.user_id, list(new.amr), new.device_name) == (ada.user_id, ["pwd", "otp", "mfa"], "Laptop")
    assert new.auth_time == new.create_time
    mine = (("authorization", f"Bearer {response.token}"),)
    assert (await sessions.GetSession(GetSessionRequest(), metadata=mine)).session.session_id == new.session_id
    assert await told(rows, ada.user_id) == [*["SESSION_ENDED"] * 2, "USER_UPDATED", "SESSION_CREATED"]
    assert await audited(rows, ada.user_id) == ["PASSWORD_CHANGED", "SESSION_CREATED"]


async def test_links_that_are_out_are_dead(users: UserServiceStub, ada: TestPerson, rows: Rows) -> None:
    for purpose in ("PASSWORD_RESET", "EMAIL_VERIFICATION", "EMAIL_CHANGE", "SECOND_FACTOR"):
        await token_for(rows, purpose, ada)
    await change(users, ada)
    assert await purposes_of(rows, ada.user_id) == []


async def test_the_current_password_is_needed(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, ada: TestPerson, rows: Rows
) -> None:
    before = await user_of(rows, ada.user_id)
    for wrong in ("", OLD.upper(), OLD + " "):
        async with fails(Reason.PASSWORD_WRONG):
            await change(users, ada, current=wrong)
    assert await user_of(rows, ada.user_id) == before
    assert await validate(sessions, ada.token) == [ada.session_id]
    assert await audited(rows, ada.user_id) == ["PASSWORD_WRONG"] * 3
    without_password = await people.person("bo")
    async with fails(Reason.PASSWORD_WRONG):
        await change(users, without_password)


async def test_the_current_password_is_guessed_ten_times_and_right_ones_do_not_count(
    users: UserServiceStub, people: People, ada: TestPerson
) -> None:
    for _ in range(9):
        async with fails(Reason.PASSWORD_WRONG):
            await change(users, ada, current="guessed")
    async with fails(Reason.BAD_REQUEST):  # no guess
        await change(users, ada, new="short")
    async with fails(Reason.PASSWORD_WRONG):
        await change(users, ada, current="guessed")
    async with fails(Reason.THROTTLED) as failure:
        await change(users, ada)
    assert failure.retry_after is not None
    assert 0 < failure.retry_after <= 300
    await change(users, await people.person("bo", OLD))


async def test_the_new_password_keeps_the_rules(users: UserServiceStub, ada: TestPerson, rows: Rows) -> None:
    for bad in ("", "x" * 14, "x" * 1025, OLD):
        async with fails(Reason.BAD_REQUEST) as failure:
            await change(users, ada, new=bad)
        assert set(failure.fields) == {"new_password"}
    async with fails(Reason.BAD_REQUEST) as failure:
        await change(users, ada, new="short", current="x" * 1025)
    assert set(failure.fields) == {"current_password", "new_password"}
    assert (await user_of(rows, ada.user_id)).version == 1


async def test_beside_a_second_factor_it_may_be_short(users: UserServiceStub, ada: TestPerson, rows: Rows) -> None:
    await rows.execute("UPDATE users SET has_second_factor = true WHERE user_id = %s", (ada.user_id,))
    async with fails(Reason.REAUTHENTICATION_REQUIRED):  # without it
        await change(users, ada, new="x7-eight")
    await rows.execute("UPDATE session SET amr = '{pwd,otp,mfa}' WHERE sid = %s", (ada.sid,))
    await change(users, ada, new="x7-eight")
    assert (await user_of(rows, ada.user_id)).password_is_short


async def test_it_needs_a_recent_sign_in(users: UserServiceStub, ada: TestPerson, rows: Rows) -> None:
    await rows.execute("UPDATE session SET auth_time = now() - interval '6 minutes' WHERE sid = %s", (ada.sid,))
    async with fails(Reason.REAUTHENTICATION_REQUIRED):
        await change(users, ada)
    assert (await user_of(rows, ada.user_id)).version == 1


async def test_a_password_pasted_in_another_unicode_form_is_the_same(users: UserServiceStub, people: People) -> None:
    bo = await people.person("bo", "café au lait complet")
    async with fails(Reason.BAD_REQUEST):
        await change(users, bo, new="cafe\u0301 au lait complet", current="café au lait complet")
    await change(users, bo, current="cafe\u0301 au lait complet")


async def test_of_two_changes_at_once_one_is_made(users: UserServiceStub, people: People, rows: Rows) -> None:
    for ada in await people.persons(4, password=OLD):
        other = await people.session(ada)
        calls = change(users, ada), change(users, other, new="yet another password")
        answers = await asyncio.gather(*map(code, calls))
        assert answers.count("OK") == 1
        assert set(answers) <= {"OK", "ABORTED", "UNAUTHENTICATED"}
        assert len(await all_of(rows, "SELECT 1 FROM session WHERE user_id = %s", ada.user_id)) == 1


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        ("UPDATE users SET password_hash = 'another' WHERE user_id = %s", Reason.CONFLICT),
        ("UPDATE users SET has_second_factor = true WHERE user_id = %s", Reason.CONFLICT),
        ("UPDATE users SET state = 'SUSPENDED' WHERE user_id = %s", Reason.SESSION_INVALID),
        ("DELETE FROM session WHERE user_id = %s", Reason.SESSION_INVALID),
    ],
)
async def test_what_happens_at_this_moment_is_not_overwritten(
    users: UserServiceStub, ada: TestPerson, rows: Rows, happens: str, reason: Reason
) -> None:
    async with meanwhile(rows, ada, change(users, ada)) as changing:
        await rows.execute(happens, (ada.user_id,))
    before = await user_of(rows, ada.user_id)
    async with fails(reason):
        await changing
    assert await user_of(rows, ada.user_id) == before
    assert await told(rows, ada.user_id) == []


async def test_who_is_reset_meanwhile_changes_nothing(users: UserServiceStub, people: People, rows: Rows) -> None:
    """Somebody in a stolen session changes the password while its owner resets it."""
    for ada in await people.persons(4, password=OLD):
        token = await token_for(rows, "PASSWORD_RESET", ada)
        reset = credentials_pb2.FinishPasswordResetRequest(token=token, new_password="password of the owner")
        changed, was_reset = await asyncio.gather(code(change(users, ada)), code(users.FinishPasswordReset(reset)))
        if was_reset == "OK":
            assert changed != "OK"
            assert await all_of(rows, "SELECT 1 FROM session WHERE user_id = %s", ada.user_id) == []
        else:
            assert (changed, was_reset) == ("OK", "NOT_FOUND")
