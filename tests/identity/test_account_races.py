"""Deletions and what happens at the same time: sign-ins, validations, other deletions, the address taken anew."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar
from uuid import UUID, uuid4

import psycopg
import pytest

from identity_service.begin_session import new_session
from identity_service.constraint_errors import CONSTRAINT_ERRORS
from identity_service.queries import sign_ins
from identity_service.queries.sign_ins import Account
from protos.identity.v1 import sessions_pb2
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import DeleteUserRequest, UndeleteUserRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from shared.database import Database
from shared.origin import Origin
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import outcome
from tests.identity.accounts import DELETE, PASSWORD, created
from tests.identity.conftest import Rows, validate
from tests.rounds import ROUNDS

T = TypeVar("T")
HASH = "of their password"


@pytest.fixture
async def database(pair: Pair) -> AsyncIterator[Database]:
    made = Database(pair.identity.database_url, pool_size=5, name="race", constraint_errors=CONSTRAINT_ERRORS)
    await made.open()
    yield made
    await made.close()


async def rounds(of: list[TestPerson], race: Callable[[TestPerson], Awaitable[T]]) -> list[T]:
    """Five at a time, as many as there are connections."""
    return [answer for n in range(0, len(of), 5) for answer in await asyncio.gather(*map(race, of[n : n + 5]))]


async def delete(users: UserServiceStub, person: TestPerson) -> bytes:
    return await outcome(users.DeleteUser(DeleteUserRequest(user_id=person.user_id), metadata=AS_OPERATOR))


async def test_no_session_outlives_its_user_whoever_wins_the_race(
    users: UserServiceStub, people: People, pair: Pair, database: Database, rows: Rows
) -> None:
    """The transaction of a sign-in, without the hashing before it."""

    async def sign_in(person: TestPerson) -> bool:
        account = Account(UUID(person.user_id), "ACTIVE", HASH, has_second_factor=False)
        _, new = new_session(pair.identity_settings, Origin(None, "", None), account.user_id, ["pwd"])
        _, session = await sign_ins.lock_account_and_insert_session(
            database, account=account, new=new, hashes=[b"device"], tries=[]
        )
        return session is not None

    async def race(person: TestPerson) -> bool:
        signed_in, deleted = await asyncio.gather(sign_in(person), delete(users, person))
        assert deleted.startswith(b"OK")
        return signed_in

    everybody = await people.persons(ROUNDS)
    ids = [person.user_id for person in everybody]
    await rows.execute("UPDATE users SET password_hash = %s WHERE user_id = ANY(%s::uuid[])", (HASH, ids))
    won = await rounds(everybody, race)
    assert (await rows.execute("SELECT FROM session WHERE user_id = ANY(%s)", (ids,))).rowcount == 0
    assert any(won)


async def test_no_session_outlives_its_user_whoever_wins_the_race_with_a_password(
    users: UserServiceStub, sessions: SessionServiceStub, rows: Rows
) -> None:
    won = 0
    for _ in range(8):
        user = await created(users, password=PASSWORD)
        sign_in = sessions_pb2.CreateSessionRequest(email=user.email, password=PASSWORD)
        signing_in = [asyncio.ensure_future(sessions.CreateSession(sign_in)) for _ in range(3)]
        await asyncio.wait(signing_in, return_when=asyncio.FIRST_COMPLETED)
        await users.DeleteUser(DeleteUserRequest(user_id=user.user_id), metadata=AS_OPERATOR)
        for answer in await asyncio.gather(*signing_in, return_exceptions=True):
            won += not isinstance(answer, BaseException)
        left = await rows.execute("SELECT FROM session WHERE user_id = %s", (user.user_id,))
        assert left.rowcount == 0
    assert won > 0


async def test_a_sign_in_waits_for_a_deletion_under_way(
    users: UserServiceStub, sessions: SessionServiceStub, rows: Rows
) -> None:
    user = await created(users, password=PASSWORD)
    sign_in = sessions_pb2.CreateSessionRequest(email=user.email, password=PASSWORD)
    async with rows.transaction():
        await rows.execute(DELETE, ([user.user_id],))
        signing_in = asyncio.ensure_future(outcome(sessions.CreateSession(sign_in)))
        await asyncio.wait({signing_in}, timeout=0.15)
        assert not signing_in.done()
    assert b"SIGN_IN_FAILED" in await signing_in
    left = await rows.execute("SELECT FROM session WHERE user_id = %s", (user.user_id,))
    assert left.rowcount == 0


async def test_of_two_deletions_at_once_one_happens_and_after_it_no_validation_says_yes(
    users: UserServiceStub, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    async def race(person: TestPerson) -> bool:
        meanwhile = asyncio.ensure_future(validate(sessions, person.token))
        answers = await asyncio.gather(delete(users, person), delete(users, person))
        assert await validate(sessions, person.token) == ["SESSION_INVALID"]
        assert sorted(answer.startswith(b"OK") for answer in answers) == [False, True]
        assert sorted(b"USER_NOT_FOUND" in answer for answer in answers) == [False, True]
        return await meanwhile == [person.session_id]

    everybody = await people.persons(ROUNDS)
    assert any(await rounds(everybody, race))
    ids = [person.user_id for person in everybody]
    deleted = "SELECT FROM events WHERE user_id = ANY(%s) AND type = 'USER_DELETED'"
    assert (await rows.execute(deleted, (ids,))).rowcount == ROUNDS


async def test_an_address_has_one_account_whoever_wins_the_race(
    users: UserServiceStub, people: People, pair: Pair, rows: Rows
) -> None:
    insert = "INSERT INTO users (user_id, email, email_key, display_name) VALUES (%s, %s, %s, '')"
    everybody = await people.persons(ROUNDS)
    await rows.execute(DELETE, ([person.user_id for person in everybody],))
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url, autocommit=True) as signing_up:

        async def sign_up(person: TestPerson) -> bool:
            try:
                await signing_up.execute(insert, (uuid4(), person.email, person.email))
            except psycopg.errors.UniqueViolation:
                return False
            return True

        async def race(person: TestPerson) -> bool:
            undelete = users.UndeleteUser(UndeleteUserRequest(user_id=person.user_id), metadata=AS_OPERATOR)
            signed_up, undeleted = await asyncio.gather(sign_up(person), outcome(undelete))
            assert signed_up != undeleted.startswith(b"OK")
            assert not signed_up or b"EMAIL_TAKEN" in undeleted
            return signed_up

        await rounds(everybody, race)  # which of the two wins is the machine's affair
    addresses = [person.email for person in everybody]
    active = "SELECT email_key FROM users WHERE email_key = ANY(%s) AND state = 'ACTIVE'"
    found = await (await rows.execute(active, (addresses,))).fetchall()
    assert sorted(row[0] for row in found) == sorted(addresses)
