"""Proving again who one is: a new token for the old one, exactly once."""

import asyncio
from uuid import UUID

import grpc
from argon2 import PasswordHasher

from identity_service.queries.login_throttle import Bucket
from identity_service.sign_in_limits import session_buckets
from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People, TestPerson
from tests.calls import code, fails, read
from tests.identity.conftest import Rows, validate
from tests.identity.sign_ins import (
    PASSWORD,
    WRONG,
    audited,
    events_of,
    person_with_factor,
    somebody_waits,
    taken,
    use_up,
)
from tests.rounds import ROUNDS

RIGHT = pb.RefreshSessionRequest(password=PASSWORD)


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def buckets(person: TestPerson) -> tuple[Bucket, Bucket]:
    return session_buckets(UUID(person.session_id))


async def test_the_new_token_is_valid_and_the_old_one_dead(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada", PASSWORD)
    await rows.execute(
        "UPDATE session SET device_name = 'phone', auth_time = now() - interval '1 hour' WHERE sid = %s", (ada.sid,)
    )
    made = await sessions.RefreshSession(RIGHT, metadata=ada.metadata)
    assert await validate(sessions, ada.token, made.token) == ["SESSION_INVALID", made.session.session_id]
    assert made.session.device_name == "phone"
    assert made.session.amr == ["pwd"]
    assert made.session.auth_time == made.session.create_time
    found = await sessions.ValidateSession(pb.ValidateSessionRequest(token=made.token), metadata=AS_OPERATOR)
    assert found.session == made.session
    assert await audited(rows, ada) == ["SESSION_REFRESHED"]
    ended, created = ("SESSION_ENDED", ada.session_id), ("SESSION_CREATED", made.session.session_id)
    assert await events_of(rows, ada) == [ended, created]
    async with fails(Reason.SESSION_INVALID):
        await sessions.RefreshSession(RIGHT, metadata=ada.metadata)


async def test_other_sessions_stay(sessions: SessionServiceStub, people: People) -> None:
    ada = await people.person("ada", PASSWORD)
    other = await people.session(ada)
    await sessions.RefreshSession(RIGHT, metadata=ada.metadata)
    assert await validate(sessions, other.token) == [other.session_id]


async def test_a_wrong_password_changes_nothing_and_is_written_down(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada", PASSWORD)
    without = await people.person("bo")
    for person, password in ((ada, WRONG), (ada, ""), (without, PASSWORD), (without, "")):
        async with fails(Reason.PASSWORD_WRONG):
            await sessions.RefreshSession(pb.RefreshSessionRequest(password=password), metadata=person.metadata)
        assert await validate(sessions, person.token) == [person.session_id]
    assert await audited(rows, ada) == await audited(rows, without) == ["PASSWORD_WRONG"] * 2
    assert await taken(rows, buckets(ada)[0]) == [2]


async def test_ten_wrong_passwords_and_the_session_waits(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada", PASSWORD)
    other = await people.session(ada)
    wrong = pb.RefreshSessionRequest(password=WRONG)
    codes = [await code(sessions.RefreshSession(wrong, metadata=ada.metadata)) for _ in range(11)]
    assert codes == ["PERMISSION_DENIED"] * 10 + ["RESOURCE_EXHAUSTED"]
    async with fails(Reason.THROTTLED) as failure:
        await sessions.RefreshSession(RIGHT, metadata=ada.metadata)
    assert failure.retry_after is not None
    assert 290 <= failure.retry_after <= 300
    await sessions.RefreshSession(RIGHT, metadata=other.metadata)  # who stole the one cannot stop the other


async def test_with_a_second_factor_a_code_is_needed(
    pair: Pair, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, app, recovery_code = await person_with_factor(people, pair)
    async with fails(Reason.BAD_REQUEST) as failure:
        await sessions.RefreshSession(RIGHT, metadata=ada.metadata)
    assert set(failure.fields) == {"code"}
    async with fails(Reason.CODE_WRONG):
        await sessions.RefreshSession(with_code("wrong"), metadata=ada.metadata)
    assert await validate(sessions, ada.token) == [ada.session_id]
    made = await sessions.RefreshSession(with_code(app.now()), metadata=ada.metadata)
    assert made.session.amr == ["pwd", "otp", "mfa"]
    async with fails(Reason.CODE_WRONG):
        await sessions.RefreshSession(with_code(app.now()), metadata=bearer(made.token))
    await sessions.RefreshSession(with_code(recovery_code), metadata=bearer(made.token))
    expected = ["CODE_WRONG", "SESSION_REFRESHED", "CODE_WRONG", "RECOVERY_CODE_USED", "SESSION_REFRESHED"]
    assert await audited(rows, ada) == expected


def with_code(code: str) -> pb.RefreshSessionRequest:
    return pb.RefreshSessionRequest(password=PASSWORD, code=code)


async def test_codes_are_throttled_too(pair: Pair, sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    ada, app, _ = await person_with_factor(people, pair)
    await use_up(rows, buckets(ada)[1])
    async with fails(Reason.THROTTLED) as failure:
        await sessions.RefreshSession(with_code(app.now()), metadata=ada.metadata)
    assert failure.retry_after is not None
    assert 50 <= failure.retry_after <= 60


async def test_all_bad_fields_are_named(pair: Pair, sessions: SessionServiceStub, people: People) -> None:
    ada, _, _ = await person_with_factor(people, pair)
    request = pb.RefreshSessionRequest(password="x" * 1025, code="x" * 101)
    async with fails(Reason.BAD_REQUEST) as failure:
        await sessions.RefreshSession(request, metadata=ada.metadata)
    assert set(failure.fields) == {"password", "code"}


async def test_what_ends_the_session_meanwhile_wins(sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    """The refresh has checked the password and waits for the user's row."""
    for what, reason in (
        ("DELETE FROM session WHERE user_id = %s", Reason.SESSION_INVALID),
        ("UPDATE session SET expire = now() WHERE user_id = %s", Reason.SESSION_INVALID),
        ("UPDATE users SET state = 'SUSPENDED' WHERE user_id = %s::uuid", Reason.SESSION_INVALID),
        ("UPDATE users SET password_hash = 'x' WHERE user_id = %s::uuid", Reason.CONFLICT),
        ("UPDATE users SET has_second_factor = true WHERE user_id = %s::uuid", Reason.CONFLICT),
    ):
        ada = await people.person("ada", PASSWORD)
        async with rows.transaction():
            await rows.execute("SELECT FROM users WHERE user_id = %s FOR UPDATE", (ada.user_id,))
            call = asyncio.ensure_future(sessions.RefreshSession(RIGHT, metadata=ada.metadata))
            await somebody_waits(rows)
            await rows.execute(what, (ada.user_id,))
        async with fails(reason):
            await call
        left = "SELECT count(*) FROM session WHERE user_id = %s AND session_id <> %s"
        row = await (await rows.execute(left, (ada.user_id, ada.session_id))).fetchone()
        assert row == (0,)


async def test_of_two_refreshes_with_one_token_exactly_one_wins(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada", PASSWORD)
    cheap = PasswordHasher(1, 8, 1).hash(PASSWORD)  # what is raced for is not the hash
    await rows.execute("UPDATE users SET password_hash = %s WHERE user_id = %s", (cheap, ada.user_id))
    token = ada.token
    for _ in range(ROUNDS):
        calls = [sessions.RefreshSession(RIGHT, metadata=bearer(token)) for _ in range(2)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        won = [answer.token for answer in answers if isinstance(answer, pb.RefreshSessionResponse)]
        lost = [read(answer).reason for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert (len(won), lost) == (1, ["SESSION_INVALID"]), answers
        [token] = won
    query = "SELECT count(*) FROM session WHERE user_id = %s"
    assert await (await rows.execute(query, (ada.user_id,))).fetchone() == (1,)
