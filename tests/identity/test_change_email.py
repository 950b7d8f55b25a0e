"""Moving an account to another address: the new one proves itself, the old one is told."""

from uuid import uuid4

import grpc
import pytest

from protos.identity.v1 import credentials_pb2
from protos.identity.v1.users_pb2 import FinishEmailVerificationRequest, User
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails, outcome
from tests.identity.conftest import Rows
from tests.identity.mailed import address, all_of, audited, mails_to, meanwhile, purposes_of, token_for, told, user_of

pytestmark = pytest.mark.usefixtures("nobody_throttled")

CHANGE_TOKENS = "SELECT email FROM one_time_tokens WHERE user_id = %s AND purpose = 'EMAIL_CHANGE'"


async def change(users: UserServiceStub, person: TestPerson, new_email: str, request_id: str = "") -> None:
    request = credentials_pb2.ChangeEmailRequest(new_email=new_email, request_id=request_id)
    await users.ChangeEmail(request, metadata=person.metadata)


async def follow(users: UserServiceStub, token: str) -> User:
    return (await users.FinishEmailVerification(FinishEmailVerificationRequest(token=token))).user


async def test_asking_changes_nothing_yet_and_tells_both_addresses(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    before = await user_of(rows, ada.user_id)
    new = address("new")
    await change(users, ada, new)
    assert await user_of(rows, ada.user_id) == before
    assert await all_of(rows, CHANGE_TOKENS, ada.user_id) == [new]
    assert await mails_to(rows, new) == ["change_email"]
    assert await mails_to(rows, ada.email) == ["email_change_started"]
    assert await audited(rows, ada.user_id) == ["EMAIL_CHANGE_STARTED"]
    assert await told(rows, ada.user_id) == []


async def test_no_address_is_in_the_audit(users: UserServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada")
    new = address("new")
    await change(users, ada, new)
    await follow(users, await token_for(rows, "EMAIL_CHANGE", ada, new))
    entries = await all_of(rows, "SELECT a::text FROM audit_events a WHERE user_id = %s", ada.user_id)
    assert len(entries) == 2
    assert not [entry for entry in entries if "@" in entry]


async def test_following_the_link_moves_the_account(users: UserServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada")
    new = address("New.Ada")
    user = await follow(users, await token_for(rows, "EMAIL_CHANGE", ada, new))
    assert (user.user_id, user.email, user.etag) == (ada.user_id, new, "2")
    assert user.email_verified_time == user.update_time
    assert (await user_of(rows, ada.user_id)).email_key == new.lower()
    assert await mails_to(rows, ada.email) == ["email_changed"]
    assert await audited(rows, ada.user_id) == ["EMAIL_CHANGED"]
    assert await told(rows, ada.user_id) == ["USER_UPDATED"]


async def test_links_to_the_old_address_are_dead_after_the_change(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    verify, reset = [await token_for(rows, purpose, ada) for purpose in ("EMAIL_VERIFICATION", "PASSWORD_RESET")]
    other = await token_for(rows, "EMAIL_CHANGE", ada, address("other"))
    await follow(users, await token_for(rows, "EMAIL_CHANGE", ada, address("new")))
    assert await purposes_of(rows, ada.user_id) == []
    # One that a mail under way hands out only now.
    late = await token_for(rows, "PASSWORD_RESET", ada, ada.email)
    for token in (verify, other):
        async with fails(Reason.TOKEN_INVALID):
            await follow(users, token)
    for token in (reset, late):
        request = credentials_pb2.FinishPasswordResetRequest(token=token, new_password="tulip orbit canyon")
        async with fails(Reason.TOKEN_INVALID):
            await users.FinishPasswordReset(request)


async def test_the_answer_does_not_tell_whether_the_new_address_is_taken(
    users: UserServiceStub, people: People
) -> None:
    ada, bo = await people.persons(2)

    async def answer(new_email: str) -> bytes:
        request = credentials_pb2.ChangeEmailRequest(new_email=new_email)
        return await outcome(users.ChangeEmail(request, metadata=ada.metadata))

    assert await answer(bo.email) == await answer(bo.email.upper()) == await answer(address("free")) == b"OK "


async def test_an_address_that_got_an_account_meanwhile_stays_with_it(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada, bo = await people.persons(2)
    token = await token_for(rows, "EMAIL_CHANGE", ada, bo.email.upper())
    before = await user_of(rows, ada.user_id)
    async with fails(Reason.EMAIL_TAKEN):
        await follow(users, token)
    assert await user_of(rows, ada.user_id) == before
    assert await purposes_of(rows, ada.user_id) == ["EMAIL_CHANGE"]


async def test_a_newer_change_takes_the_place_of_the_older(users: UserServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada")
    older = await token_for(rows, "EMAIL_CHANGE", ada, address("typo"))
    reset = await token_for(rows, "PASSWORD_RESET", ada)
    new = address("new")
    await change(users, ada, new)
    assert await all_of(rows, CHANGE_TOKENS, ada.user_id) == [new]
    async with fails(Reason.TOKEN_INVALID):
        await follow(users, older)
    request = credentials_pb2.FinishPasswordResetRequest(token=reset, new_password="tulip orbit canyon")
    await users.FinishPasswordReset(request)  # was good still


async def test_the_address_that_the_account_has_is_no_new_one(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    async with fails(Reason.BAD_REQUEST) as failure:
        await change(users, ada, ada.email.upper())
    assert failure.fields == {"new_email": "the address that the account has"}
    assert await mails_to(rows, ada.email) == []


async def test_bad_fields_are_named(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    async with fails(Reason.BAD_REQUEST) as failure:
        await change(users, ada, "nobody", request_id="7")
    assert set(failure.fields) == {"new_email", "request_id"}


async def test_it_needs_a_recent_sign_in(users: UserServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada")
    old = "UPDATE session SET auth_time = now() - interval '6 minutes' WHERE sid = %s"
    await rows.execute(old, (ada.sid,))
    async with fails(Reason.REAUTHENTICATION_REQUIRED):
        await change(users, ada, address("new"))
    assert await purposes_of(rows, ada.user_id) == []
    async with fails(Reason.SESSION_REQUIRED):
        request = credentials_pb2.ChangeEmailRequest(new_email=address("new"))
        await users.ChangeEmail(request, metadata=AS_OPERATOR)


async def test_a_session_that_ends_meanwhile_changes_nothing(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    """Whoever ends all sessions, as a reset does, must not find a change that one of them began at that moment."""
    ada = await people.person("ada")
    async with meanwhile(rows, ada, change(users, ada, address("new"))) as changing:
        await rows.execute("DELETE FROM session WHERE sid = %s", (ada.sid,))
    async with fails(Reason.REAUTHENTICATION_REQUIRED):
        await changing
    assert await purposes_of(rows, ada.user_id) == []


async def test_a_repeat_writes_nothing_twice_also_when_the_sign_in_is_old_by_then(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    new, request_id = address("new"), str(uuid4())
    await change(users, ada, new, request_id)
    await rows.execute("UPDATE session SET auth_time = now() - interval '1 hour' WHERE sid = %s", (ada.sid,))
    await change(users, ada, new, request_id)
    assert await mails_to(rows, ada.email) == ["email_change_started"]
    assert await audited(rows, ada.user_id) == ["EMAIL_CHANGE_STARTED"]


async def test_the_new_address_gets_three_mails_at_once(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    new = address("victim")
    for _ in range(3):
        await change(users, ada, new)
    async with fails(Reason.THROTTLED):
        await change(users, ada, new)
    with pytest.raises(grpc.aio.AioRpcError):  # the bucket is the address's, not the person's
        await change(users, await people.person("bo"), new)
    await change(users, ada, address("another"))
