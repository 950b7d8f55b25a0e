"""Signing in in two steps: the password gets a challenge, a code of the phone or of the note beside it a session."""

import asyncio
from secrets import token_urlsafe

import grpc
import pytest

from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.factors_pb2 import RemoveTotpRequest
from protos.identity.v1.factors_pb2_grpc import FactorServiceStub
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared.reasons import Reason
from tenantry.testing.pair import Pair, identity_settings, running_identity
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import code, fails
from tests.identity.conftest import Rows, validate
from tests.identity.phones import Phone, scan, set_up

PASSWORD = "tulip orbit canyon"
BOTH_FACTORS = ["pwd", "otp", "mfa"]


@pytest.fixture
def factors(identity: grpc.aio.Channel) -> FactorServiceStub:
    return FactorServiceStub(identity)


@pytest.fixture
async def phone(factors: FactorServiceStub, rows: Rows, people: People) -> Phone:
    """Ada's."""
    return await set_up(factors, rows, await people.person("ada", PASSWORD))


async def first_step(sessions: SessionServiceStub, person: TestPerson) -> pb.CreateSessionResponse:
    return await sessions.CreateSession(pb.CreateSessionRequest(email=person.email, password=PASSWORD))


async def challenge(sessions: SessionServiceStub, phone: Phone) -> str:
    return (await first_step(sessions, phone.person)).challenge.challenge_token


async def answer(sessions: SessionServiceStub, challenge_token: str, digits: str) -> pb.CreateSessionResponse:
    return await sessions.CreateSession(pb.CreateSessionRequest(challenge_token=challenge_token, code=digits))


async def sign_in(sessions: SessionServiceStub, phone: Phone, digits: str) -> pb.CreateSessionResponse:
    return await answer(sessions, await challenge(sessions, phone), digits)


async def refresh(sessions: SessionServiceStub, person: TestPerson, digits: str = "") -> pb.RefreshSessionResponse:
    request = pb.RefreshSessionRequest(password=PASSWORD, code=digits)
    return await sessions.RefreshSession(request, metadata=person.metadata)


async def audited(phone: Phone, action: str) -> int:
    query = "SELECT count(*) FROM audit_events WHERE user_id = %s AND action = %s"
    row = await (await phone.rows.execute(query, (phone.person.user_id, action))).fetchone()
    assert row is not None
    return int(row[0])


async def test_the_password_alone_begins_no_session(sessions: SessionServiceStub, phone: Phone) -> None:
    response = await first_step(sessions, phone.person)
    assert (response.token, response.device_token, response.HasField("session")) == ("", "", False)
    assert await validate(sessions, response.challenge.challenge_token) == ["SESSION_INVALID"]


async def test_a_code_of_the_phone_completes_the_sign_in(sessions: SessionServiceStub, phone: Phone) -> None:
    response = await sign_in(sessions, phone, await phone.next_code())
    assert not response.HasField("challenge")
    request = pb.ValidateSessionRequest(token=response.token)
    session = (await sessions.ValidateSession(request, metadata=AS_OPERATOR)).session
    assert session == response.session
    assert (session.user_id, list(session.amr)) == (phone.person.user_id, BOTH_FACTORS)


async def test_a_factor_that_is_not_confirmed_asks_nobody(
    sessions: SessionServiceStub, factors: FactorServiceStub, people: People, rows: Rows
) -> None:
    bo = await people.person("bo", PASSWORD)
    await scan(factors, rows, bo)
    assert list((await first_step(sessions, bo)).session.amr) == ["pwd"]


async def test_after_a_wrong_code_the_right_one_still_counts(sessions: SessionServiceStub, phone: Phone) -> None:
    token = await challenge(sessions, phone)
    async with fails(Reason.CODE_WRONG):
        await answer(sessions, token, await phone.wrong_code())
    assert await audited(phone, "CODE_WRONG") == 1
    assert (await answer(sessions, token, await phone.next_code())).token


async def test_a_code_signs_in_once(sessions: SessionServiceStub, phone: Phone) -> None:
    digits = await phone.next_code()
    assert (await sign_in(sessions, phone, digits)).token
    async with fails(Reason.CODE_WRONG):
        await sign_in(sessions, phone, digits)


async def test_the_code_that_confirmed_the_app_does_not_sign_in(
    sessions: SessionServiceStub, factors: FactorServiceStub, people: People, rows: Rows
) -> None:
    phone = await set_up(factors, rows, await people.person("cy", PASSWORD))
    step = "SELECT last_used_step FROM totp_factors WHERE user_id = %s"
    row = await (await rows.execute(step, (phone.person.user_id,))).fetchone()
    assert row is not None
    async with fails(Reason.CODE_WRONG):
        await sign_in(sessions, phone, phone.app.generate_otp(row[0]))


@pytest.mark.parametrize("kind", ["totp", "recovery"])
async def test_of_two_sign_ins_at_once_with_one_code_one_succeeds(
    sessions: SessionServiceStub, phone: Phone, kind: str
) -> None:
    digits = await phone.next_code() if kind == "totp" else phone.recovery_codes[0]
    tokens = [await challenge(sessions, phone) for _ in range(3)]
    codes = await asyncio.gather(*(code(answer(sessions, token, digits)) for token in tokens))
    assert sorted(codes) == ["OK", "PERMISSION_DENIED", "PERMISSION_DENIED"]


async def test_a_challenge_is_good_for_one_session(sessions: SessionServiceStub, phone: Phone) -> None:
    token = await challenge(sessions, phone)
    codes = await asyncio.gather(*(code(answer(sessions, token, each)) for each in phone.recovery_codes[:3]))
    assert sorted(codes) == ["OK", "UNAUTHENTICATED", "UNAUTHENTICATED"]
    async with fails(Reason.CHALLENGE_INVALID):
        await answer(sessions, token, await phone.next_code())


async def test_a_challenge_ends_and_none_can_be_made_up(sessions: SessionServiceStub, phone: Phone) -> None:
    token = await challenge(sessions, phone)
    late = "UPDATE one_time_tokens SET expire_time = now() WHERE user_id = %s"
    await phone.rows.execute(late, (phone.person.user_id,))
    for each in (token, token_urlsafe(32)):
        async with fails(Reason.CHALLENGE_INVALID):
            await answer(sessions, each, await phone.next_code())


async def test_codes_of_somebody_else_are_wrong(
    sessions: SessionServiceStub, factors: FactorServiceStub, people: People, phone: Phone
) -> None:
    bo = await set_up(factors, phone.rows, await people.person("bo", PASSWORD))
    token = await challenge(sessions, phone)
    for digits in (await bo.next_code(), bo.recovery_codes[0]):
        async with fails(Reason.CODE_WRONG):
            await answer(sessions, token, digits)
    assert (await sign_in(sessions, bo, bo.recovery_codes[0])).token


async def test_a_recovery_code_signs_in_once(sessions: SessionServiceStub, phone: Phone) -> None:
    noted = phone.recovery_codes[0].upper().replace("-", " ")
    response = await sign_in(sessions, phone, noted)
    assert list(response.session.amr) == BOTH_FACTORS
    assert await audited(phone, "RECOVERY_CODE_USED") == 1
    async with fails(Reason.CODE_WRONG):
        await sign_in(sessions, phone, noted)
    assert (await sign_in(sessions, phone, phone.recovery_codes[1])).token


async def test_guessing_at_codes_is_slowed_down(sessions: SessionServiceStub, phone: Phone) -> None:
    token = await challenge(sessions, phone)
    for _ in range(5):
        async with fails(Reason.CODE_WRONG):
            await answer(sessions, token, await phone.wrong_code())
    for digits in (await phone.next_code(), phone.recovery_codes[0]):
        async with fails(Reason.THROTTLED):
            await answer(sessions, token, digits)


async def test_refreshing_takes_a_code_and_opens_what_is_sensitive(
    sessions: SessionServiceStub, factors: FactorServiceStub, people: People, phone: Phone
) -> None:
    elsewhere = await people.session(phone.person)
    async with fails(Reason.BAD_REQUEST) as failure:
        await refresh(sessions, elsewhere)
    assert set(failure.fields) == {"code"}
    async with fails(Reason.CODE_WRONG):
        await refresh(sessions, elsewhere, await phone.wrong_code())
    assert await validate(sessions, elsewhere.token) == [elsewhere.session_id]
    async with fails(Reason.REAUTHENTICATION_REQUIRED):
        await factors.RemoveTotp(RemoveTotpRequest(), metadata=elsewhere.metadata)
    response = await refresh(sessions, elsewhere, await phone.next_code())
    assert list(response.session.amr) == BOTH_FACTORS
    assert await validate(sessions, elsewhere.token) == ["SESSION_INVALID"]
    await factors.RemoveTotp(RemoveTotpRequest(), metadata=(("authorization", f"Bearer {response.token}"),))


async def test_who_lost_the_phone_and_the_note_signs_in_again_when_a_service_has_helped(
    sessions: SessionServiceStub, factors: FactorServiceStub, phone: Phone
) -> None:
    begun = await challenge(sessions, phone)
    request = RemoveTotpRequest(user_id=phone.person.user_id)
    await factors.RemoveTotp(request, metadata=AS_OPERATOR)
    async with fails(Reason.CHALLENGE_INVALID):
        await answer(sessions, begun, phone.recovery_codes[0])
    assert list((await first_step(sessions, phone.person)).session.amr) == ["pwd"]


async def test_secrets_are_changed_without_anybody_noticing(
    sessions: SessionServiceStub, pair: Pair, phone: Phone
) -> None:
    """A new one in front, the old one gone later; with neither a right code is no way in, nor is none."""
    [old] = (secret.get_secret_value() for secret in pair.identity_settings.factor_secrets)
    new = token_urlsafe(48)
    for secrets, accepted in ((new, False), (f"{new},{old}", True), (new, True), ("", False)):
        settings = identity_settings(pair.identity.database_url, FACTOR_SECRETS=secrets)
        async with running_identity(settings) as server:
            there = SessionServiceStub(server.channel)
            response = await first_step(there, phone.person)
            assert not response.token
            result = await code(answer(there, response.challenge.challenge_token, await phone.next_code()))
            assert result == ("OK" if accepted else "PERMISSION_DENIED")
