"""Suspending and reactivating accounts: what ends, what a repeat changes, and races with validation."""

import asyncio
from uuid import uuid4

import pytest

from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import (
    USER_STATE_ACTIVE,
    USER_STATE_SUSPENDED,
    ReactivateUserRequest,
    SuspendUserRequest,
    UpdateUserRequest,
    User,
)
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails, outcome
from tests.identity.accounts import DELETE, audit_of, events_of, get
from tests.identity.conftest import Rows, validate
from tests.rounds import ROUNDS

TOKEN = """INSERT INTO one_time_tokens (token_id, purpose, token_hash, user_id, expire_time)
           VALUES (gen_random_uuid(), 'PASSWORD_RESET', sha256(%s), %s, now() + interval '1 hour')"""
EXPRESS_SESSION = """INSERT INTO session (sid, sess, expire)
                     SELECT %s, jsonb_build_object('cookie', '{}'::jsonb, 'userId', %s::text), now() + interval '1 h'"""


async def suspend(users: UserServiceStub, user_id: str, etag: str = "") -> User:
    return (await users.SuspendUser(SuspendUserRequest(user_id=user_id, etag=etag), metadata=AS_OPERATOR)).user


async def reactivate(users: UserServiceStub, user_id: str, etag: str = "") -> User:
    return (await users.ReactivateUser(ReactivateUserRequest(user_id=user_id, etag=etag), metadata=AS_OPERATOR)).user


async def count(rows: Rows, table: str, user_id: str) -> int:
    row = await (await rows.execute(f"SELECT count(*) FROM {table} WHERE user_id = %s", (user_id,))).fetchone()
    assert row is not None
    return int(row[0])


async def test_suspending_ends_all_sessions_and_whatever_was_mailed(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, bo = await people.persons(2)
    also_ada = await people.session(ada)
    for person in (ada, bo):
        await rows.execute(TOKEN, (person.token.encode(), person.user_id))
    suspended = await suspend(users, ada.user_id)
    assert (suspended.state, suspended.etag) == (USER_STATE_SUSPENDED, "2")
    assert suspended == await get(users, ada.user_id)
    refused = "SESSION_INVALID"
    assert await validate(sessions, ada.token, also_ada.token, bo.token) == [refused, refused, bo.session_id]
    assert [await count(rows, table, ada.user_id) for table in ("session", "one_time_tokens")] == [0, 0]
    assert [await count(rows, table, bo.user_id) for table in ("session", "one_time_tokens")] == [1, 1]
    assert sorted(await events_of(rows, ada.user_id)) == ["SESSION_ENDED", "SESSION_ENDED", "USER_SUSPENDED"]
    assert await audit_of(rows, ada.user_id) == [("USER_SUSPENDED", "operator")]


async def test_reactivating_lets_them_in_again_but_revives_nothing(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    await suspend(users, ada.user_id)
    await rows.execute(EXPRESS_SESSION, (sid := uuid4().hex, ada.user_id))
    active = await reactivate(users, ada.user_id)
    assert (active.state, active.etag) == (USER_STATE_ACTIVE, "3")
    assert await validate(sessions, ada.token) == ["SESSION_INVALID"]
    assert (await rows.execute("SELECT FROM session WHERE sid = %s", (sid,))).rowcount == 0
    again = await people.session(ada)
    assert await validate(sessions, again.token) == [again.session_id]
    assert [action for action, _ in await audit_of(rows, ada.user_id)] == ["USER_SUSPENDED", "USER_REACTIVATED"]


async def test_a_repeat_changes_nothing(users: UserServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada")
    assert (await reactivate(users, ada.user_id)).etag == "1"
    assert await events_of(rows, ada.user_id) == []
    for act in (suspend, reactivate):
        first = await act(users, ada.user_id)
        before = await events_of(rows, ada.user_id), await audit_of(rows, ada.user_id)
        assert await act(users, ada.user_id) == first
        assert (await events_of(rows, ada.user_id), await audit_of(rows, ada.user_id)) == before


async def test_a_stale_etag_changes_nothing(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    await suspend(users, ada.user_id, etag="1")
    for act in (suspend, reactivate):
        async with fails(Reason.ETAG_MISMATCH):
            await act(users, ada.user_id, etag="1")
    assert (await reactivate(users, ada.user_id, etag="2")).etag == "3"


@pytest.mark.parametrize("act", [suspend, reactivate])
async def test_who_is_deleted_or_was_never_there_is_not_found(
    users: UserServiceStub, people: People, rows: Rows, act: object
) -> None:
    ada = await people.person("ada")
    await rows.execute(DELETE, ([ada.user_id],))
    for user_id in (ada.user_id, str(uuid4())):
        async with fails(Reason.USER_NOT_FOUND):
            await act(users, user_id)  # type: ignore[operator]


async def test_the_account_to_suspend_is_named(users: UserServiceStub) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.SuspendUser(SuspendUserRequest(etag="\0", request_id="7"), metadata=AS_OPERATOR)
    assert set(failure.fields) == {"user_id", "etag", "request_id"}
    async with fails(Reason.BAD_REQUEST) as failure:
        await users.ReactivateUser(ReactivateUserRequest(etag="\0", request_id="7"), metadata=AS_OPERATOR)
    assert set(failure.fields) == {"user_id", "etag", "request_id"}


async def test_people_suspend_and_reactivate_nobody(users: UserServiceStub, people: People) -> None:
    ada = await people.person("ada")
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await users.SuspendUser(SuspendUserRequest(user_id=ada.user_id), metadata=ada.metadata)
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await users.ReactivateUser(ReactivateUserRequest(user_id=ada.user_id), metadata=ada.metadata)


async def test_a_call_under_way_when_its_person_is_suspended_changes_nothing(
    users: UserServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada")
    async with rows.transaction():
        await rows.execute("UPDATE users SET state = 'SUSPENDED' WHERE user_id = %s", (ada.user_id,))
        request = UpdateUserRequest(user=User(display_name="Eve"))
        updating = asyncio.ensure_future(outcome(users.UpdateUser(request, metadata=ada.metadata)))
        await asyncio.wait({updating}, timeout=0.15)
        assert not updating.done()
    assert b"PERMISSION_DENIED" in await updating
    assert (await get(users, ada.user_id)).display_name == "ada"


async def test_after_the_answer_of_a_suspension_no_validation_says_yes(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    yes = 0

    async def race(person: TestPerson) -> None:
        nonlocal yes
        meanwhile = [asyncio.ensure_future(validate(sessions, person.token)) for _ in range(2)]
        await suspend(users, person.user_id)
        assert await validate(sessions, person.token) == ["SESSION_INVALID"]
        yes += (await asyncio.gather(*meanwhile)).count([person.session_id])

    everybody = await people.persons(ROUNDS)
    for start in range(0, ROUNDS, 10):
        await asyncio.gather(*map(race, everybody[start : start + 10]))
    assert yes > 0
    ids = [person.user_id for person in everybody]
    assert (await rows.execute("SELECT FROM session WHERE user_id = ANY(%s)", (ids,))).rowcount == 0
