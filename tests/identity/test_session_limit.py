"""At most SESSIONS_PER_USER at a time: the oldest ends, also when many sign in at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, identity_settings, running_pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.identity.conftest import Rows, validate
from tests.identity.sign_ins import PASSWORD, events_of, with_password

LIMIT = 3


@pytest.fixture(scope="module")
async def pair(databases: Databases) -> AsyncIterator[Pair]:
    async with running_pair(databases, identity={"SESSIONS_PER_USER": LIMIT}) as running:
        yield running


@pytest.fixture(scope="module")
def people(pair: Pair) -> People:
    return People(pair)


@pytest.fixture
def sessions(pair: Pair) -> SessionServiceStub:
    return SessionServiceStub(pair.identity.channel)


def test_the_limit_is_twenty_by_default(pair: Pair) -> None:
    assert identity_settings(pair.identity.database_url).sessions_per_user == 20


async def test_one_more_ends_the_oldest(sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    ada, bo = await people.person("ada", PASSWORD), await people.person("bo")
    others = [await people.session(ada) for _ in range(LIMIT - 1)]
    made = await sessions.CreateSession(with_password(ada))
    seen = await validate(sessions, ada.token, *[other.token for other in others], made.token, bo.token)
    assert seen == ["SESSION_INVALID", *[o.session_id for o in others], made.session.session_id, bo.session_id]
    created, ended = ("SESSION_CREATED", made.session.session_id), ("SESSION_ENDED", ada.session_id)
    assert await events_of(rows, ada) == [created, ended]


async def test_expired_ones_do_not_count(sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada", PASSWORD)
    others = [await people.session(ada) for _ in range(LIMIT - 1)]
    await rows.execute("UPDATE session SET expire = now() WHERE sid = %s", (others[0].sid,))
    await sessions.CreateSession(with_password(ada))
    assert await validate(sessions, ada.token, others[1].token) == [ada.session_id, others[1].session_id]


async def test_of_many_at_once_the_limit_is_left(sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    ada = await people.person("ada", PASSWORD)
    calls = [sessions.CreateSession(with_password(ada)) for _ in range(8)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    # On a busy machine some wait too long for each other and are told to try again.
    made = [answer for answer in answers if isinstance(answer, pb.CreateSessionResponse)]
    assert len(made) >= LIMIT
    seen = await validate(sessions, ada.token, *[response.token for response in made])
    assert len(seen) - seen.count("SESSION_INVALID") == LIMIT
    ended = [session for kind, session in await events_of(rows, ada) if kind == "SESSION_ENDED"]
    assert len(ended) == len(set(ended)) == 1 + len(made) - LIMIT


async def test_a_sign_in_that_had_to_wait_does_not_end_itself(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    """Its time is that of its beginning: all the others began after it."""
    ada = await people.person("ada", PASSWORD)
    others = [await people.session(ada) for _ in range(LIMIT)]
    await rows.execute("UPDATE session SET created_at = now() + interval '1 hour' WHERE user_id = %s", (ada.user_id,))
    made = await sessions.CreateSession(with_password(ada))
    assert await validate(sessions, made.token) == [made.session.session_id]
    left = await sessions.ListSessions(pb.ListSessionsRequest(user_id=ada.user_id), metadata=AS_OPERATOR)
    assert len(left.sessions) == LIMIT
    assert {session.session_id for session in left.sessions} < {made.session.session_id, ada.session_id} | {
        other.session_id for other in others
    }
