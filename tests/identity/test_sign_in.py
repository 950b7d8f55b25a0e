"""Signing in, in one step or two: what it takes, what it leaves behind, and what strangers learn."""

import asyncio
import re
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from identity_service.sign_in_limits import code_bucket
from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared import one_time
from shared.hot_connection import HotConnection
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import code, fails, outcome
from tests.identity.conftest import Rows
from tests.identity.sign_ins import (
    PASSWORD,
    WRONG,
    audited,
    device,
    events_of,
    person_with_factor,
    use_up,
    with_password,
)

# What workers and streams ask beside every call, and whether their connection is there.
OTHERS = re.compile(r"^SELECT 1$|^;$|\b(events|event_epoch|outbox_emails|users_to_check|identity_cursor)\b")
WRONG_CODE = "wrong-wrong-wrong-wrong-wrong"


def with_code(challenge: pb.CreateSessionResponse, code: str, **more: str) -> pb.CreateSessionRequest:
    token = challenge.challenge.challenge_token
    return pb.CreateSessionRequest(challenge_token=token, code=code, **more)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that the services in this process send to their databases, but for their workers and streams."""
    seen: list[str] = []
    execute, write = psycopg.AsyncCursor.execute, HotConnection.write

    def noting(cursor: Any, query: Any, *values: Any, **options: Any) -> Any:
        if not OTHERS.search(str(query)):
            seen.append(str(query))
        return execute(cursor, query, *values, **options)

    async def noting_writes(connection: HotConnection, *written: Any) -> Any:
        seen.extend(statement for statement, _ in written)
        return await write(connection, *written)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", noting)
    monkeypatch.setattr(HotConnection, "write", noting_writes)
    return seen


async def nobodies(people: People, rows: Rows) -> list[pb.CreateSessionRequest]:
    """Every kind of sign-in that fails with SIGN_IN_FAILED."""
    ada, suspended, deleted = [await people.person("ada", PASSWORD) for _ in range(3)]
    await rows.execute("UPDATE users SET state = 'SUSPENDED' WHERE user_id = %s", (suspended.user_id,))
    await rows.execute("UPDATE users SET state = 'DELETED', delete_time = now() WHERE user_id = %s", (deleted.user_id,))
    without_password = await people.person("bo")
    return [
        with_password(ada, WRONG),
        with_password(ada, ""),
        with_password(f"{uuid4()}@example.com"),
        with_password(suspended),
        with_password(deleted),
        with_password(without_password),
        with_password(without_password, ""),
    ]


async def test_who_cannot_sign_in_learns_nothing_from_the_answer(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    requests = await nobodies(people, rows)
    assert len({await outcome(sessions.CreateSession(request)) for request in requests}) == 1
    async with fails(Reason.SIGN_IN_FAILED):
        await sessions.CreateSession(requests[0])


async def test_who_cannot_sign_in_makes_the_same_work(
    sessions: SessionServiceStub, people: People, rows: Rows, statements: list[str]
) -> None:
    seen: list[list[str]] = []
    for request in await nobodies(people, rows):
        statements.clear()
        await code(sessions.CreateSession(request))
        seen.append(statements.copy())
    assert [statement.split()[0] for statement in seen[0]] == ["WITH", "INSERT"]
    assert all(each == seen[0] for each in seen)


async def test_failures_are_written_down_without_the_address(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada", PASSWORD)
    query = """SELECT action, user_id::text, details::text, host(ip), actor_user_id, session_id
                 FROM audit_events WHERE request_id = %s"""
    for request, user_id in (
        (with_password(ada, WRONG), ada.user_id),
        (with_password(f"{uuid4()}@example.com"), None),
    ):
        call = uuid4().hex
        await code(sessions.CreateSession(request, metadata=(("x-request-id", call),)))
        found = await (await rows.execute(query, (call,))).fetchall()
        assert found == [("SIGN_IN_FAILED", user_id, "{}", "127.0.0.1", None, None)]


async def test_a_sign_in_is_written_down_and_told_to_followers(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada", PASSWORD)
    made = await sessions.CreateSession(with_password(ada, device_name=" Ada's phone "))
    assert made.session.amr == ["pwd"]
    assert made.session.device_name == "Ada's phone"
    assert not made.HasField("challenge")
    found = await sessions.ValidateSession(pb.ValidateSessionRequest(token=made.token), metadata=AS_OPERATOR)
    assert found.session == made.session
    assert await audited(rows, ada) == ["SESSION_CREATED"]
    assert await events_of(rows, ada) == [("SESSION_CREATED", made.session.session_id)]


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (pb.CreateSessionRequest(), {"email", "challenge_token"}),
        (pb.CreateSessionRequest(password=PASSWORD), {"email"}),
        (pb.CreateSessionRequest(challenge_token="x"), {"code"}),
        (pb.CreateSessionRequest(code="123456"), {"challenge_token"}),
        (
            pb.CreateSessionRequest(email="ada@example.com", password="x", challenge_token="x", code="1"),
            {"email", "password"},
        ),
        (pb.CreateSessionRequest(email="ada@example.com", code="1"), {"email", "challenge_token"}),
        (
            pb.CreateSessionRequest(
                email="ada@example.com", password="x" * 1025, device_name="x" * 101, device_token="x" * 101
            ),
            {"password", "device_name", "device_token"},
        ),
        (
            pb.CreateSessionRequest(
                challenge_token="x" * 101, code="x" * 101, device_name="x" * 101, device_token="x" * 101
            ),
            {"challenge_token", "code", "device_name", "device_token"},
        ),
    ],
)
async def test_a_step_has_its_own_fields_and_their_limits(
    sessions: SessionServiceStub, request_: pb.CreateSessionRequest, named: set[str]
) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await sessions.CreateSession(request_)
    assert set(failure.fields) == named


async def test_with_a_second_factor_it_takes_two_steps(
    pair: Pair, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, app, _ = await person_with_factor(people, pair)
    first = await sessions.CreateSession(with_password(ada, device_name="phone"))
    assert (first.token, first.device_token, first.HasField("session")) == ("", "", False)
    assert await audited(rows, ada) == []
    known = await (await rows.execute("SELECT FROM known_devices WHERE user_id = %s", (ada.user_id,))).fetchall()
    assert known == []  # the password alone makes no device known
    made = await sessions.CreateSession(with_code(first, app.now()))
    assert made.session.amr == ["pwd", "otp", "mfa"]
    assert made.session.device_name == "phone"
    assert len(made.device_token) == 43
    found = await sessions.ValidateSession(pb.ValidateSessionRequest(token=made.token), metadata=AS_OPERATOR)
    assert found.session == made.session
    assert await audited(rows, ada) == ["SESSION_CREATED"]
    async with fails(Reason.CHALLENGE_INVALID):
        await sessions.CreateSession(with_code(first, app.now()))


async def test_a_challenge_is_stored_as_a_hash_and_good_for_five_minutes(
    pair: Pair, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, _, _ = await person_with_factor(people, pair)
    challenge = (await sessions.CreateSession(with_password(ada))).challenge
    query = """SELECT token_hash, extract(epoch FROM expire_time - create_time)::int, expire_time
                 FROM one_time_tokens WHERE user_id = %s"""
    row = await (await rows.execute(query, (ada.user_id,))).fetchone()
    assert row is not None
    assert row[:2] == (one_time.hash_of(challenge.challenge_token), 300)
    assert challenge.expire_time.ToMicroseconds() == int(row[2].timestamp() * 1_000_000 + 0.5)


async def test_a_wrong_code_is_written_down_and_the_challenge_stays(
    pair: Pair, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, _, recovery_code = await person_with_factor(people, pair)
    first = await sessions.CreateSession(with_password(ada))
    async with fails(Reason.CODE_WRONG):
        await sessions.CreateSession(with_code(first, WRONG_CODE))
    assert await audited(rows, ada) == ["CODE_WRONG"]
    made = await sessions.CreateSession(with_code(first, recovery_code, device_name="spare"))
    assert made.session.device_name == "spare"
    assert await audited(rows, ada) == ["CODE_WRONG", "RECOVERY_CODE_USED", "SESSION_CREATED"]
    again = await sessions.CreateSession(with_password(ada))
    async with fails(Reason.CODE_WRONG):
        await sessions.CreateSession(with_code(again, recovery_code))


@pytest.mark.parametrize(
    "what",
    [
        "UPDATE users SET state = 'SUSPENDED' WHERE user_id = %s",
        "UPDATE users SET state = 'DELETED', delete_time = now() WHERE user_id = %s",
        "UPDATE users SET has_second_factor = false WHERE user_id = %s",
        "UPDATE one_time_tokens SET expire_time = now() WHERE user_id = %s",
        "UPDATE one_time_tokens SET purpose = 'PASSWORD_RESET' WHERE user_id = %s",
        "DELETE FROM one_time_tokens WHERE user_id = %s",  # as when the password changes
        "DELETE FROM users WHERE user_id = %s",
    ],
)
async def test_what_changes_between_the_steps_ends_the_sign_in(
    pair: Pair, sessions: SessionServiceStub, people: People, rows: Rows, what: str
) -> None:
    ada, app, _ = await person_with_factor(people, pair)
    first = await sessions.CreateSession(with_password(ada))
    await rows.execute(what, (ada.user_id,))
    seen = await outcome(sessions.CreateSession(with_code(first, app.now())))
    assert seen == await outcome(sessions.CreateSession(pb.CreateSessionRequest(challenge_token="x", code="1")))
    assert b"CHALLENGE_INVALID" in seen


async def test_of_two_second_steps_with_one_challenge_one_gets_in_and_the_other_code_stays_good(
    pair: Pair, sessions: SessionServiceStub, people: People
) -> None:
    ada, app, recovery_code = await person_with_factor(people, pair)
    first = await sessions.CreateSession(with_password(ada))
    codes = [recovery_code, app.now()]
    seen = await asyncio.gather(*[outcome(sessions.CreateSession(with_code(first, each))) for each in codes])
    assert sorted(each.startswith(b"OK") for each in seen) == [False, True]
    [loser] = [given for given, answer in zip(codes, seen, strict=True) if not answer.startswith(b"OK")]
    again = await sessions.CreateSession(with_password(ada))
    assert (await sessions.CreateSession(with_code(again, loser))).token


async def test_of_two_sign_ins_with_one_code_one_gets_in(
    pair: Pair, sessions: SessionServiceStub, people: People
) -> None:
    ada, _, recovery_code = await person_with_factor(people, pair)
    challenges = [await sessions.CreateSession(with_password(ada)) for _ in range(4)]
    calls = [sessions.CreateSession(with_code(each, recovery_code)) for each in challenges]
    assert sorted(await asyncio.gather(*[code(call) for call in calls])) == ["OK", *["PERMISSION_DENIED"] * 3]


async def test_who_has_the_password_cannot_guess_codes_nor_lock_the_owner_out(
    pair: Pair, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, app, recovery_code = await person_with_factor(people, pair)
    first = await sessions.CreateSession(with_password(ada))
    made = await sessions.CreateSession(with_code(first, recovery_code))
    await rows.execute("DELETE FROM known_devices WHERE device_hash = %s", (device("127.0.0.1").hashes[0],))
    guesses = [await sessions.CreateSession(with_password(ada)) for _ in range(6)]
    for each in guesses[:5]:
        async with fails(Reason.CODE_WRONG):
            await sessions.CreateSession(with_code(each, WRONG_CODE))
    async with fails(Reason.THROTTLED) as failure:
        await sessions.CreateSession(with_code(guesses[5], app.now()))
    assert failure.retry_after is not None
    assert 50 <= failure.retry_after <= 60
    owner = with_code(guesses[5], app.now(), device_token=made.device_token)
    assert (await sessions.CreateSession(owner)).device_token == made.device_token


async def test_a_known_source_has_codes_of_its_own_to_try(
    pair: Pair, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, app, recovery_code = await person_with_factor(people, pair)
    await sessions.CreateSession(with_code(await sessions.CreateSession(with_password(ada)), recovery_code))
    await use_up(rows, code_bucket(UUID(ada.user_id), device("192.0.2.1"), ()))
    await sessions.CreateSession(with_code(await sessions.CreateSession(with_password(ada)), app.now()))
