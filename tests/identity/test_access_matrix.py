"""Every RPC of identity.v1 for every kind of caller: who gets in. The set of RPCs comes from the descriptors."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from identity_service.access_policy import POLICY
from identity_service.server import RPCS
from protos.identity.v1 import sessions_pb2 as sessions
from protos.identity.v1 import users_pb2 as users
from tenantry.testing.pair import Pair
from tenantry.testing.people import Metadata, People, TestPerson
from tests.matrix import NOBODY, WRONG_KEYS, Row, check_row, nobodies, with_key

SERVICE = {"service", "service for herself", "service for somebody else"}
# A call with a key and a session is the person's: a gateway must not lend its key to everybody.
EVERYBODY = {*NOBODY, *WRONG_KEYS, *SERVICE, "herself", "somebody else"}
HERSELF = {"herself", "service", "service for herself"}
SIGNED_IN = {"herself", "somebody else", "service for herself", "service for somebody else"}

# About one person: she herself, somebody else, services alone and for either.
GETS_IN = {
    "identity.v1.UserService/SignUp": EVERYBODY,
    "identity.v1.UserService/GetUser": HERSELF,
    "identity.v1.UserService/UpdateUser": HERSELF,
    "identity.v1.UserService/BatchGetUsers": SERVICE,
    "identity.v1.UserService/DeleteUser": HERSELF,
    "identity.v1.SessionService/CreateSession": EVERYBODY,
    "identity.v1.SessionService/ValidateSession": SERVICE,
    "identity.v1.SessionService/BatchValidateSessions": SERVICE,
    "identity.v1.SessionService/GetSession": SIGNED_IN,
    "identity.v1.SessionService/ListSessions": HERSELF,
    "identity.v1.SessionService/RevokeSession": HERSELF,
    "identity.v1.SessionService/RevokeOtherSessions": SIGNED_IN,
    "identity.v1.SessionService/RevokeUserSessions": SERVICE,
}

ROWS = """SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM (
    SELECT u::text AS t FROM users u WHERE user_id = %(id)s
    UNION ALL SELECT sid FROM session WHERE user_id = %(id)s::text) rows"""


def test_every_rpc_has_a_row() -> None:
    assert GETS_IN.keys() == set(RPCS)


@pytest.fixture(scope="module")
async def people_here(people: People) -> tuple[TestPerson, TestPerson]:
    return await people.person("ada"), await people.person("bo")


@pytest.fixture(scope="module")
async def callers(pair: Pair, people: People, people_here: tuple[TestPerson, TestPerson]) -> dict[str, Metadata]:
    ada, bo = people_here
    return await nobodies(pair, people) | {
        "herself": ada.metadata,
        "somebody else": bo.metadata,
        "service for herself": with_key(ada),
        "service for somebody else": with_key(bo),
    }


def requests(ada: TestPerson) -> dict[str, tuple[Any, Any]]:
    """One for each RPC, about ada. None changes anything: a field is bad, an etag stale, a session not there."""
    nothing = str(uuid4())
    stale = users.User(user_id=ada.user_id, display_name="New", etag="stale")
    return {
        "SignUp": (users.SignUpRequest(email="nobody"), users.SignUpResponse),
        "GetUser": (users.GetUserRequest(user_id=ada.user_id), users.GetUserResponse),
        "UpdateUser": (users.UpdateUserRequest(user=stale), users.UpdateUserResponse),
        "BatchGetUsers": (users.BatchGetUsersRequest(user_ids=[ada.user_id]), users.BatchGetUsersResponse),
        "DeleteUser": (users.DeleteUserRequest(user_id=ada.user_id, etag="stale"), users.DeleteUserResponse),
        "CreateSession": (sessions.CreateSessionRequest(email="nobody"), sessions.CreateSessionResponse),
        "ValidateSession": (sessions.ValidateSessionRequest(token=ada.token), sessions.ValidateSessionResponse),
        "BatchValidateSessions": (
            sessions.BatchValidateSessionsRequest(tokens=[ada.token]),
            sessions.BatchValidateSessionsResponse,
        ),
        "GetSession": (sessions.GetSessionRequest(), sessions.GetSessionResponse),
        "ListSessions": (sessions.ListSessionsRequest(user_id=ada.user_id), sessions.ListSessionsResponse),
        "RevokeSession": (
            sessions.RevokeSessionRequest(session_id=nothing, user_id=ada.user_id),
            sessions.RevokeSessionResponse,
        ),
        "RevokeOtherSessions": (sessions.RevokeOtherSessionsRequest(), sessions.RevokeOtherSessionsResponse),
        "RevokeUserSessions": (
            sessions.RevokeUserSessionsRequest(user_id=nothing),
            sessions.RevokeUserSessionsResponse,
        ),
    }


async def rows_of(pair: Pair, person: TestPerson) -> object:
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url) as connection:
        return await (await connection.execute(ROWS, {"id": person.user_id})).fetchone()


@pytest.mark.parametrize("rpc", RPCS)
async def test_who_gets_in(
    pair: Pair, rpc: str, people_here: tuple[TestPerson, TestPerson], callers: dict[str, Metadata]
) -> None:
    ada, _ = people_here
    request, response = requests(ada)[rpc.partition("/")[2]]
    before = await rows_of(pair, ada)
    await check_row(pair.identity.channel, rpc, Row(frozenset(GETS_IN[rpc]), request, response), POLICY[rpc], callers)
    assert await rows_of(pair, ada) == before
