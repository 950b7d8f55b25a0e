"""Adding an authenticator app and taking it away: who may, when, and who hears of it."""

import asyncio
import base64
import re

import grpc
import psycopg
import pyotp
import pytest

from protos.identity.v1 import factors_pb2 as pb
from protos.identity.v1.factors_pb2_grpc import FactorServiceStub
from protos.identity.v1.sessions_pb2 import GetSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import GetUserRequest, User
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.pair import running_pair
from tenantry.testing.people import People, TestPerson
from tests.calls import code, fails
from tests.identity.conftest import Rows
from tests.identity.phones import scan, set_up, told

LONG_AGO = "UPDATE session SET auth_time = now() - interval '301 seconds' WHERE sid = %s"


@pytest.fixture
def factors(identity: grpc.aio.Channel) -> FactorServiceStub:
    return FactorServiceStub(identity)


async def account(users: UserServiceStub, person: TestPerson) -> User:
    return (await users.GetUser(GetUserRequest(), metadata=person.metadata)).user


async def confirm(factors: FactorServiceStub, person: TestPerson, digits: str) -> list[str]:
    answer = await factors.ConfirmTotp(pb.ConfirmTotpRequest(code=digits), metadata=person.metadata)
    return list(answer.recovery_codes)


async def regenerate(factors: FactorServiceStub, person: TestPerson) -> list[str]:
    answer = await factors.RegenerateRecoveryCodes(pb.RegenerateRecoveryCodesRequest(), metadata=person.metadata)
    return list(answer.recovery_codes)


async def test_an_app_is_told_its_secret_in_three_ways(factors: FactorServiceStub, people: People) -> None:
    ada = await people.person("ada+x")
    shown = await factors.EnrollTotp(pb.EnrollTotpRequest(), metadata=ada.metadata)
    assert len(base64.b32decode(shown.secret)) * 8 == 160
    app = pyotp.parse_uri(shown.otpauth_uri)
    assert isinstance(app, pyotp.TOTP)
    assert (app.secret, app.issuer, app.name) == (shown.secret, "Tenantry", ada.email)
    assert (app.digits, app.interval) == (6, 30)
    assert shown.qr_png.startswith(b"\x89PNG\r\n\x1a\n")
    again = await factors.EnrollTotp(pb.EnrollTotpRequest(), metadata=ada.metadata)
    assert again.secret != shown.secret
    assert again.qr_png != shown.qr_png


async def test_a_long_address_and_product_name_still_make_a_picture(databases: Databases) -> None:
    async with running_pair(databases, identity={"PRODUCT_NAME": "\U0001f98a" * 60}) as pair:
        people, stub = People(pair), FactorServiceStub(pair.identity.channel)
        ada = await people.person()
        async with await psycopg.AsyncConnection.connect(pair.identity.database_url) as rows:
            await rows.execute("UPDATE users SET email = %s", ("+" * 64 + "@" + "界" * 180 + ".com",))
        assert (await stub.EnrollTotp(pb.EnrollTotpRequest(), metadata=ada.metadata)).qr_png


async def test_without_secrets_to_encrypt_with_there_are_no_second_factors(databases: Databases) -> None:
    async with running_pair(databases, identity={"FACTOR_SECRETS": ""}) as pair:
        ada = await People(pair).person()
        async with fails(Reason.SECOND_FACTOR_CLOSED):
            await FactorServiceStub(pair.identity.channel).EnrollTotp(pb.EnrollTotpRequest(), metadata=ada.metadata)


async def test_a_factor_counts_from_its_confirmation_on(
    factors: FactorServiceStub, users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person()
    before = await account(users, ada)
    first, phone = await scan(factors, rows, ada), await scan(factors, rows, ada)
    assert await account(users, ada) == before
    async with fails(Reason.FACTOR_NOT_FOUND):
        await regenerate(factors, ada)
    async with fails(Reason.FACTOR_NOT_FOUND):
        await factors.RemoveTotp(pb.RemoveTotpRequest(), metadata=ada.metadata)
    async with fails(Reason.CODE_WRONG):
        await confirm(factors, ada, await first.code())
    codes = await confirm(factors, ada, await phone.code())
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[a-z2-7]{5}(-[a-z2-7]{5}){4}", each) for each in codes)
    after = await account(users, ada)
    assert after.has_second_factor
    assert after.etag != before.etag
    assert await told(rows, ada) == (
        "TOTP_ENROLLED TOTP_ENROLLED CODE_WRONG TOTP_CONFIRMED",
        "USER_UPDATED",
        "second_factor_changed",
    )


async def test_only_the_session_that_confirmed_has_proved_both_factors(
    factors: FactorServiceStub, sessions: SessionServiceStub, users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person()
    elsewhere = await people.session(ada)
    await set_up(factors, rows, ada)
    amr = [
        list((await sessions.GetSession(GetSessionRequest(), metadata=each.metadata)).session.amr)
        for each in (ada, elsewhere)
    ]
    assert amr == [["pwd", "otp", "mfa"], ["pwd"]]
    assert (await account(users, elsewhere)).has_second_factor
    for sensitive in (
        factors.RemoveTotp(pb.RemoveTotpRequest(), metadata=elsewhere.metadata),
        factors.RegenerateRecoveryCodes(pb.RegenerateRecoveryCodesRequest(), metadata=elsewhere.metadata),
        factors.EnrollTotp(pb.EnrollTotpRequest(), metadata=elsewhere.metadata),
    ):
        async with fails(Reason.REAUTHENTICATION_REQUIRED):
            await sensitive
    assert len(await regenerate(factors, ada)) == 10


async def test_everything_needs_a_recent_sign_in(factors: FactorServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person()
    phone = await scan(factors, rows, ada)
    await rows.execute(LONG_AGO, (ada.sid,))
    for call in (
        factors.EnrollTotp(pb.EnrollTotpRequest(), metadata=ada.metadata),
        factors.ConfirmTotp(pb.ConfirmTotpRequest(code=await phone.code()), metadata=ada.metadata),
        factors.RemoveTotp(pb.RemoveTotpRequest(), metadata=ada.metadata),
        factors.RegenerateRecoveryCodes(pb.RegenerateRecoveryCodesRequest(), metadata=ada.metadata),
    ):
        async with fails(Reason.REAUTHENTICATION_REQUIRED):
            await call


async def test_there_is_one_factor_at_a_time(factors: FactorServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person()
    async with fails(Reason.FACTOR_NOT_FOUND):
        await confirm(factors, ada, "123456")
    phone = await set_up(factors, rows, ada)
    async with fails(Reason.FACTOR_EXISTS):
        await scan(factors, rows, ada)
    async with fails(Reason.FACTOR_NOT_FOUND):
        await confirm(factors, ada, await phone.next_code())


async def test_of_two_confirmations_at_once_one_gets_recovery_codes(
    factors: FactorServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person()
    phone = await scan(factors, rows, ada)
    digits = await phone.code()
    codes = await asyncio.gather(*(code(confirm(factors, ada, digits)) for _ in range(4)))
    assert sorted(codes) == ["NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "OK"]
    query = "SELECT count(*) FROM recovery_codes WHERE user_id = %s"
    assert await (await rows.execute(query, (ada.user_id,))).fetchone() == (10,)


async def test_guessing_at_a_confirmation_is_slowed_down(
    factors: FactorServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person()
    phone = await scan(factors, rows, ada)
    for _ in range(5):
        async with fails(Reason.CODE_WRONG):
            await confirm(factors, ada, await phone.wrong_code())
    async with fails(Reason.THROTTLED) as failure:
        await confirm(factors, ada, await phone.code())
    assert failure.retry_after is not None
    assert 50 < failure.retry_after <= 60


@pytest.mark.parametrize("text", ["", "12345", "1234567", "١٢٣٤٥٦", "½½½½½½", "\x00" * 6, "a" * 100, "0" * 100])
async def test_what_is_no_code_is_a_wrong_one(
    factors: FactorServiceStub, people: People, rows: Rows, text: str
) -> None:
    ada = await people.person()
    await scan(factors, rows, ada)
    async with fails(Reason.CODE_WRONG):
        await confirm(factors, ada, text)


async def test_a_code_has_at_most_a_hundred_characters(factors: FactorServiceStub, people: People) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await confirm(factors, await people.person(), "1" * 101)
    assert set(failure.fields) == {"code"}
