"""Proving that an address is one's own, with the token of a mail."""

from uuid import uuid4

import pytest

from protos.identity.v1 import credentials_pb2
from protos.identity.v1.users_pb2 import FinishEmailVerificationRequest, User
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails, outcome
from tests.identity.conftest import Rows
from tests.identity.mailed import address, all_of, audited, purposes_of, token_for, told, user_of

pytestmark = pytest.mark.usefixtures("nobody_throttled")


def start(email: str, **fields: str) -> credentials_pb2.StartEmailVerificationRequest:
    return credentials_pb2.StartEmailVerificationRequest(email=email, **fields)


@pytest.fixture
async def ada(people: People, rows: Rows) -> TestPerson:
    """Somebody whose address is not verified."""
    made = await people.person("ada")
    await rows.execute("UPDATE users SET email_verified_time = NULL WHERE user_id = %s", (made.user_id,))
    return made


async def test_the_token_of_the_mail_verifies_the_address(users: UserServiceStub, ada: TestPerson, rows: Rows) -> None:
    request = FinishEmailVerificationRequest(token=await token_for(rows, "EMAIL_VERIFICATION", ada))
    user = (await users.FinishEmailVerification(request)).user
    assert (user.user_id, user.email, user.etag) == (ada.user_id, ada.email, "2")
    assert user.email_verified_time == user.update_time
    assert (await user_of(rows, ada.user_id)).is_verified
    assert await audited(rows, ada.user_id) == ["EMAIL_VERIFIED"]
    assert await told(rows, ada.user_id) == ["USER_UPDATED"]


async def test_whoever_reads_the_answer_learns_no_private_metadata(
    users: UserServiceStub, ada: TestPerson, rows: Rows
) -> None:
    change = """UPDATE users SET private_metadata = '{"debt": 7}', public_metadata = '{"team": "red"}'
                 WHERE user_id = %s"""
    await rows.execute(change, (ada.user_id,))
    request = FinishEmailVerificationRequest(token=await token_for(rows, "EMAIL_VERIFICATION", ada))
    user: User = (await users.FinishEmailVerification(request, metadata=AS_OPERATOR)).user
    assert user.public_metadata["team"] == "red"
    assert not user.HasField("private_metadata")


async def test_a_repeat_gets_the_first_answer_although_the_token_is_used(
    users: UserServiceStub, ada: TestPerson, rows: Rows
) -> None:
    token = await token_for(rows, "EMAIL_VERIFICATION", ada)
    request = FinishEmailVerificationRequest(token=token, request_id=str(uuid4()))
    first = await users.FinishEmailVerification(request)
    assert await users.FinishEmailVerification(request) == first
    assert await told(rows, ada.user_id) == ["USER_UPDATED"]


async def test_the_request_id_alone_shows_nobody_the_answer(
    users: UserServiceStub, ada: TestPerson, rows: Rows
) -> None:
    token = await token_for(rows, "EMAIL_VERIFICATION", ada)
    request = FinishEmailVerificationRequest(token=token, request_id=str(uuid4()))
    await users.FinishEmailVerification(request)
    for other in ("", "guessed", token.swapcase()):
        request.token = other
        async with fails(Reason.REQUEST_ID_REUSED) as failure:
            await users.FinishEmailVerification(request)
        assert ada.email.encode() not in failure.raw


async def test_the_answer_to_starting_tells_nothing(users: UserServiceStub, ada: TestPerson, people: People) -> None:
    verified = await people.person("bo")
    asked = [ada.email, ada.email.upper(), verified.email, address("nobody")]
    assert {await outcome(users.StartEmailVerification(start(email))) for email in asked} == {b"OK "}


async def test_bad_fields_are_named_and_nothing_is_mailed(users: UserServiceStub) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.StartEmailVerification(start("nobody", request_id="7"))
    assert set(failure.fields) == {"email", "request_id"}


async def test_a_mailbox_gets_three_mails_at_once_whether_it_has_an_account_or_not(
    users: UserServiceStub, ada: TestPerson
) -> None:
    for email in (ada.email, address("nobody")):
        for spelling in (email, email.upper(), email.title()):
            await users.StartEmailVerification(start(spelling))
        async with fails(Reason.THROTTLED) as failure:
            await users.StartEmailVerification(start(email))
        assert failure.retry_after is not None
        assert 0 < failure.retry_after <= 300
        # Whatever the mail is about.
        async with fails(Reason.THROTTLED):
            await users.StartPasswordReset(credentials_pb2.StartPasswordResetRequest(email=email))


async def test_a_source_sends_twenty_mails_at_once(users: UserServiceStub) -> None:
    for _ in range(20):
        await users.StartEmailVerification(start(address()))
    async with fails(Reason.THROTTLED) as failure:
        await users.StartEmailVerification(start(address()))
    assert failure.retry_after is not None
    assert 0 < failure.retry_after <= 180


async def test_a_repeated_start_writes_one_mail(users: UserServiceStub, ada: TestPerson, rows: Rows) -> None:
    request = start(ada.email, request_id=str(uuid4()))
    await users.StartEmailVerification(request)
    await users.StartEmailVerification(request)
    assert len(await all_of(rows, "SELECT 1 FROM outbox_emails WHERE address = %s", ada.email)) == 1


async def test_starting_changes_nothing_that_others_can_see(
    users: UserServiceStub, ada: TestPerson, rows: Rows
) -> None:
    before = await user_of(rows, ada.user_id)
    await users.StartEmailVerification(start(ada.email))
    assert await user_of(rows, ada.user_id) == before
    assert await told(rows, ada.user_id) == []
    assert await purposes_of(rows, ada.user_id) in ([], ["EMAIL_VERIFICATION"])  # once the mail has left
