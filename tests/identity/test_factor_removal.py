"""Taking a second factor away, new recovery codes, and secrets that are nowhere to be found."""

from base64 import b32decode
from uuid import uuid4

import grpc
import pytest

from protos.identity.v1.factors_pb2 import RegenerateRecoveryCodesRequest, RemoveTotpRequest
from protos.identity.v1.factors_pb2_grpc import FactorServiceStub
from protos.identity.v1.users_pb2 import GetUserRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails, outcome
from tests.identity.conftest import Rows
from tests.identity.phones import Phone, set_up, told

LEFT = """SELECT (SELECT count(*) FROM totp_factors WHERE user_id = %(id)s),
                 (SELECT count(*) FROM recovery_codes WHERE user_id = %(id)s)"""
EVERYTHING = """
SELECT string_agg(t::text, E'\\n') FROM (
    SELECT to_jsonb(x) AS t FROM audit_events x UNION ALL SELECT to_jsonb(x) FROM events x
    UNION ALL SELECT to_jsonb(x) FROM outbox_emails x UNION ALL SELECT to_jsonb(x) FROM request_results x
    UNION ALL SELECT to_jsonb(x) FROM users x UNION ALL SELECT to_jsonb(x) FROM login_throttle x
    UNION ALL SELECT to_jsonb(x) FROM totp_factors x UNION ALL SELECT to_jsonb(x) FROM recovery_codes x) everything"""


@pytest.fixture
def factors(identity: grpc.aio.Channel) -> FactorServiceStub:
    return FactorServiceStub(identity)


@pytest.fixture
async def phone(factors: FactorServiceStub, rows: Rows, people: People) -> Phone:
    """Ada's."""
    return await set_up(factors, rows, await people.person("ada"))


async def remove(factors: FactorServiceStub, person: TestPerson, request_id: str = "") -> None:
    await factors.RemoveTotp(RemoveTotpRequest(request_id=request_id), metadata=person.metadata)


async def remove_of(factors: FactorServiceStub, user_id: str) -> None:
    await factors.RemoveTotp(RemoveTotpRequest(user_id=user_id), metadata=AS_OPERATOR)


async def left(phone: Phone) -> tuple[int, int]:
    """How many factors and recovery codes there are."""
    row = await (await phone.rows.execute(LEFT, {"id": phone.person.user_id})).fetchone()
    assert row is not None
    return row[0], row[1]


async def has_second_factor(users: UserServiceStub, person: TestPerson) -> bool:
    return (await users.GetUser(GetUserRequest(), metadata=person.metadata)).user.has_second_factor


async def test_removing_takes_everything_away_and_tells(
    factors: FactorServiceStub, users: UserServiceStub, phone: Phone
) -> None:
    await remove(factors, phone.person)
    assert await left(phone) == (0, 0)
    assert not await has_second_factor(users, phone.person)
    assert await told(phone.rows, phone.person) == (
        "TOTP_ENROLLED TOTP_CONFIRMED TOTP_REMOVED",
        "USER_UPDATED USER_UPDATED",
        "second_factor_changed second_factor_changed",
    )
    async with fails(Reason.FACTOR_NOT_FOUND):
        await remove(factors, phone.person)
    again = await set_up(factors, phone.rows, phone.person)
    assert again.app.secret != phone.app.secret


async def test_a_repeated_removal_gets_the_first_answer(
    factors: FactorServiceStub, users: UserServiceStub, phone: Phone
) -> None:
    request_id = str(uuid4())
    await remove(factors, phone.person, request_id)
    await set_up(factors, phone.rows, phone.person)
    await remove(factors, phone.person, request_id)
    assert await has_second_factor(users, phone.person)


async def test_beside_a_short_password_a_person_keeps_the_factor(
    factors: FactorServiceStub, users: UserServiceStub, phone: Phone
) -> None:
    """Who has lost the phone cannot sign in to choose a longer one, so a service may take it away all the same."""
    await phone.rows.execute("UPDATE users SET password_is_short = true WHERE user_id = %s", (phone.person.user_id,))
    async with fails(Reason.PASSWORD_TOO_SHORT):
        await remove(factors, phone.person)
    assert await left(phone) == (1, 10)
    await remove_of(factors, phone.person.user_id)
    assert not await has_second_factor(users, phone.person)


async def test_a_service_removes_for_a_person_who_lost_everything(
    factors: FactorServiceStub, users: UserServiceStub, phone: Phone
) -> None:
    await remove_of(factors, phone.person.user_id)
    assert await left(phone) == (0, 0)
    assert not await has_second_factor(users, phone.person)
    query = "SELECT actor_service, actor_user_id FROM audit_events WHERE user_id = %s AND action = 'TOTP_REMOVED'"
    assert await (await phone.rows.execute(query, (phone.person.user_id,))).fetchall() == [("operator", None)]
    query = "SELECT shown ->> 'ip' FROM outbox_emails WHERE user_id = %s ORDER BY email_id"
    assert await (await phone.rows.execute(query, (phone.person.user_id,))).fetchall() == [("127.0.0.1",), ("",)]
    async with fails(Reason.FACTOR_NOT_FOUND):
        await remove_of(factors, phone.person.user_id)


async def test_a_service_names_somebody_who_is_there(factors: FactorServiceStub, phone: Phone) -> None:
    async with fails(Reason.USER_NOT_FOUND):
        await remove_of(factors, str(uuid4()))
    async with fails(Reason.BAD_REQUEST) as failure:
        await factors.RemoveTotp(RemoveTotpRequest(request_id="7"), metadata=AS_OPERATOR)
    assert set(failure.fields) == {"request_id"}
    async with fails(Reason.BAD_REQUEST) as failure:
        await remove_of(factors, "")
    assert set(failure.fields) == {"user_id"}
    deleted = "UPDATE users SET state = 'DELETED', delete_time = now() WHERE user_id = %s"
    await phone.rows.execute(deleted, (phone.person.user_id,))
    async with fails(Reason.USER_NOT_FOUND):
        await remove_of(factors, phone.person.user_id)


async def test_nobody_removes_the_factor_of_somebody_else(
    factors: FactorServiceStub, people: People, phone: Phone
) -> None:
    bo = await people.person("bo")
    seen = [
        await outcome(factors.RemoveTotp(RemoveTotpRequest(user_id=user_id), metadata=(*bo.metadata, *with_key)))
        for user_id in (phone.person.user_id, str(uuid4()))
        for with_key in ((), AS_OPERATOR)  # a gateway's key is not lent to the person
    ]
    assert len(set(seen)) == 1
    assert b"PERMISSION_DENIED" in seen[0]
    assert await left(phone) == (1, 10)


async def test_new_recovery_codes_replace_the_old_ones(factors: FactorServiceStub, phone: Phone) -> None:
    count = "SELECT array_agg(code_hash) FROM recovery_codes WHERE user_id = %s"
    before = await (await phone.rows.execute(count, (phone.person.user_id,))).fetchone()
    request = RegenerateRecoveryCodesRequest()
    codes = (await factors.RegenerateRecoveryCodes(request, metadata=phone.person.metadata)).recovery_codes
    after = await (await phone.rows.execute(count, (phone.person.user_id,))).fetchone()
    assert before is not None
    assert after is not None
    assert len(set(codes)) == len(set(after[0])) == 10
    assert not set(codes) & set(phone.recovery_codes)
    assert not set(after[0]) & set(before[0])
    assert await told(phone.rows, phone.person) == (
        "TOTP_ENROLLED TOTP_CONFIRMED RECOVERY_CODES_REGENERATED",
        "USER_UPDATED",
        "second_factor_changed second_factor_changed",
    )


async def test_no_secret_is_to_be_found_in_the_database(factors: FactorServiceStub, phone: Phone) -> None:
    request = RegenerateRecoveryCodesRequest()
    newer = (await factors.RegenerateRecoveryCodes(request, metadata=phone.person.metadata)).recovery_codes
    row = await (await phone.rows.execute(EVERYTHING)).fetchone()
    assert row is not None
    assert phone.person.user_id in row[0]
    codes = [*phone.recovery_codes, *newer, phone.app.secret]
    spellings = [*codes, *(code.replace("-", "") for code in codes)]
    as_bytes = [code.encode().hex() for code in spellings] + [b32decode(phone.app.secret).hex()]
    assert not [code for code in (*spellings, *as_bytes) if code in row[0]]
