"""Tokens of mails: good once, for one thing, not for long; and nobody learns why one is not."""

import asyncio

import psycopg
import pytest
from google.protobuf.message import Message

from protos.identity.v1 import credentials_pb2, users_pb2
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared import one_time
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.pair import identity_settings, running_identity
from tenantry.testing.people import People, TestPerson
from tests.calls import code, fails, outcome
from tests.identity.conftest import Rows
from tests.identity.mailed import address, all_of, meanwhile, purposes_of, sign_up_token, token_for, told, user_of

pytestmark = pytest.mark.usefixtures("nobody_throttled")

PASSWORD = "tulip orbit canyon"
OF_USERS = ["EMAIL_VERIFICATION", "EMAIL_CHANGE", "PASSWORD_RESET"]


async def finish(users: UserServiceStub, purpose: str, token: str) -> Message:
    if purpose == "PASSWORD_RESET":
        request = credentials_pb2.FinishPasswordResetRequest(token=token, new_password=PASSWORD)
        return await users.FinishPasswordReset(request)
    return await users.FinishEmailVerification(users_pb2.FinishEmailVerificationRequest(token=token))


async def token_of(rows: Rows, purpose: str, person: TestPerson, *, seconds: float = 60) -> str:
    new = address("new") if purpose == "EMAIL_CHANGE" else None
    return await token_for(rows, purpose, person, new, seconds=seconds)


@pytest.mark.parametrize("purpose", OF_USERS)
async def test_whatever_is_wrong_with_a_token_the_answer_is_one(
    users: UserServiceStub, people: People, rows: Rows, purpose: str
) -> None:
    ada, suspended, deleted = await people.persons(3)
    used = await token_of(rows, purpose, ada)
    await finish(users, purpose, used)
    others = "PASSWORD_RESET" if purpose != "PASSWORD_RESET" else "EMAIL_VERIFICATION"
    wrong = [
        "",
        "x" * 100,
        one_time.make_token(),
        used,
        await token_of(rows, purpose, ada, seconds=0),
        await token_of(rows, others, ada),
        await token_of(rows, "SECOND_FACTOR", ada),
        await token_of(rows, purpose, suspended),
        await token_of(rows, purpose, deleted),
    ]
    if purpose != "EMAIL_CHANGE":
        wrong.append(await token_for(rows, purpose, ada, address("old")))
    await rows.execute("UPDATE users SET state = 'SUSPENDED' WHERE user_id = %s", (suspended.user_id,))
    gone = "UPDATE users SET state = 'DELETED', delete_time = now() WHERE user_id = %s"
    await rows.execute(gone, (deleted.user_id,))
    before = [await user_of(rows, person.user_id) for person in (ada, suspended, deleted)]
    assert len({await outcome(finish(users, purpose, token)) for token in wrong}) == 1
    async with fails(Reason.TOKEN_INVALID):
        await finish(users, purpose, wrong[0])
    assert [await user_of(rows, person.user_id) for person in (ada, suspended, deleted)] == before


async def test_a_sign_up_that_waited_too_long_makes_no_account(users: UserServiceStub, rows: Rows) -> None:
    email = address()
    token = await sign_up_token(rows, email, seconds=0)
    async with fails(Reason.TOKEN_INVALID):
        await finish(users, "SIGN_UP", token)
    assert await all_of(rows, "SELECT user_id FROM users WHERE email = %s", email) == []


@pytest.mark.parametrize("purpose", OF_USERS)
async def test_a_token_longer_than_any_of_ours_is_bad_input(users: UserServiceStub, purpose: str) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await finish(users, purpose, "x" * 101)
    assert failure.fields == {"token": "longer than 100 characters"}


@pytest.mark.parametrize("purpose", ["EMAIL_VERIFICATION", "EMAIL_CHANGE", "SIGN_UP"])
async def test_of_two_who_use_a_token_at_once_one_does(
    users: UserServiceStub, people: People, rows: Rows, purpose: str
) -> None:
    for ada in await people.persons(40):
        email = address()
        token = await (sign_up_token(rows, email) if purpose == "SIGN_UP" else token_of(rows, purpose, ada))
        answers = await asyncio.gather(*(code(finish(users, purpose, token)) for _ in range(2)))
        assert sorted(answers) == ["NOT_FOUND", "OK"]
        if purpose != "SIGN_UP":
            assert await told(rows, ada.user_id) == ["USER_UPDATED"]


async def test_of_two_sign_ups_of_an_address_answered_at_once_one_makes_the_account(
    users: UserServiceStub, rows: Rows
) -> None:
    for _ in range(50):
        email = address()
        waiting = [await sign_up_token(rows, email), await sign_up_token(rows, email.upper())]
        answers = await asyncio.gather(*(code(finish(users, "SIGN_UP", token)) for token in waiting))
        assert sorted(answers) == ["NOT_FOUND", "OK"]


async def test_a_change_and_a_reset_of_one_account_at_once_end_well(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    """Each ends the other's token: whichever is first."""
    for ada in await people.persons(15):
        change, reset = [await token_of(rows, purpose, ada) for purpose in ("EMAIL_CHANGE", "PASSWORD_RESET")]
        calls = finish(users, "EMAIL_CHANGE", change), finish(users, "PASSWORD_RESET", reset)
        assert sorted(await asyncio.gather(*map(code, calls))) == ["NOT_FOUND", "OK"]
        assert await purposes_of(rows, ada.user_id) == []


@pytest.mark.parametrize("purpose", OF_USERS)
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET state = 'SUSPENDED' WHERE user_id = %s",
        "UPDATE users SET state = 'DELETED', delete_time = now() WHERE user_id = %s",
        "DELETE FROM one_time_tokens WHERE user_id = %s",
        "DELETE FROM users WHERE user_id = %s",
    ],
)
async def test_what_ends_at_this_moment_opens_nothing(
    users: UserServiceStub, people: People, rows: Rows, purpose: str, change: str
) -> None:
    ada = await people.person("ada")
    token = await token_of(rows, purpose, ada)
    async with meanwhile(rows, ada, finish(users, purpose, token)) as finishing:
        await rows.execute(change, (ada.user_id,))
    async with fails(Reason.TOKEN_INVALID):
        await finishing
    assert await told(rows, ada.user_id) == []


async def test_a_source_has_a_hundred_wrong_tokens_and_good_ones_do_not_count(databases: Databases) -> None:
    url = databases.service_url("identity", databases.copy("identity"))
    settings = identity_settings(url, TRUSTED_PROXIES="127.0.0.1")
    async with running_identity(settings) as service, await psycopg.AsyncConnection.connect(url) as rows:
        await rows.set_autocommit(True)
        users = UserServiceStub(service.channel)
        here, elsewhere = ((("x-forwarded-for", ip),) for ip in ("203.0.113.7", "203.0.113.8"))
        wrong = users_pb2.FinishEmailVerificationRequest(token="wrong")
        for _ in range(10):
            good = users_pb2.FinishEmailVerificationRequest(token=await sign_up_token(rows, address()))
            await users.FinishEmailVerification(good, metadata=here)
        reset = credentials_pb2.FinishPasswordResetRequest(token="wrong", new_password=PASSWORD)
        for n in range(100):
            async with fails(Reason.TOKEN_INVALID):
                if n % 2:
                    await users.FinishPasswordReset(reset, metadata=here)
                else:
                    await users.FinishEmailVerification(wrong, metadata=here)
        async with fails(Reason.THROTTLED) as failure:
            await users.FinishEmailVerification(wrong, metadata=here)
        assert failure.retry_after is not None
        assert 0 < failure.retry_after <= 36
        async with fails(Reason.TOKEN_INVALID):
            await users.FinishEmailVerification(wrong, metadata=elsewhere)
