"""Every RPC of identity.v1 for every kind of caller: who gets in. The set of RPCs comes from the descriptors."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from identity_service.access_policy import POLICY
from identity_service.server import RPCS
from protos.identity.v1 import audit_events_pb2, credentials_pb2, events_pb2, factors_pb2
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
    "identity.v1.UserService/StartEmailVerification": EVERYBODY,
    "identity.v1.UserService/FinishEmailVerification": EVERYBODY,
    "identity.v1.UserService/StartPasswordReset": EVERYBODY,
    "identity.v1.UserService/FinishPasswordReset": EVERYBODY,
    "identity.v1.UserService/ChangePassword": SIGNED_IN,
    "identity.v1.UserService/ChangeEmail": SIGNED_IN,
    "identity.v1.UserService/UndeleteUser": SERVICE,
    "identity.v1.UserService/CreateUser": SERVICE,
    "identity.v1.UserService/ImportUsers": SERVICE,
    "identity.v1.UserService/ListUsers": SERVICE,
    "identity.v1.UserService/LookUpUser": SERVICE,
    "identity.v1.UserService/SuspendUser": SERVICE,
    "identity.v1.UserService/ReactivateUser": SERVICE,
    "identity.v1.UserService/GetUser": HERSELF,
    "identity.v1.UserService/UpdateUser": HERSELF,
    "identity.v1.UserService/BatchGetUsers": SERVICE,
    "identity.v1.UserService/DeleteUser": HERSELF,
    "identity.v1.SessionService/CreateSession": EVERYBODY,
    "identity.v1.SessionService/RefreshSession": SIGNED_IN,
    "identity.v1.SessionService/ValidateSession": SERVICE,
    "identity.v1.SessionService/BatchValidateSessions": SERVICE,
    "identity.v1.SessionService/GetSession": SIGNED_IN,
    "identity.v1.SessionService/ListSessions": HERSELF,
    "identity.v1.SessionService/RevokeSession": HERSELF,
    "identity.v1.SessionService/RevokeOtherSessions": SIGNED_IN,
    "identity.v1.SessionService/RevokeUserSessions": SERVICE,
    "identity.v1.FactorService/EnrollTotp": SIGNED_IN,
    "identity.v1.FactorService/ConfirmTotp": SIGNED_IN,
    "identity.v1.FactorService/RemoveTotp": HERSELF,
    "identity.v1.FactorService/RegenerateRecoveryCodes": SIGNED_IN,
    "identity.v1.AuditService/ListAuditEvents": HERSELF,
    "identity.v1.EventService/StreamEvents": SERVICE,
}
STREAMS = {"StreamEvents"}

ROWS = """SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM (
    SELECT u::text AS t FROM users u WHERE user_id = %(id)s
    UNION ALL SELECT f::text FROM totp_factors f WHERE user_id = %(id)s
    UNION ALL SELECT o::text FROM one_time_tokens o WHERE user_id = %(id)s
    UNION ALL SELECT sid FROM session WHERE user_id = %(id)s::text) rows"""
# So that whoever gets in is told to sign in again before anything changes.
AGE = "UPDATE session SET auth_time = now() - interval '1 hour' WHERE sid = ANY(%s)"


def test_every_rpc_has_a_row() -> None:
    assert GETS_IN.keys() == set(RPCS)


@pytest.fixture(scope="module")
async def people_here(pair: Pair, people: People) -> tuple[TestPerson, TestPerson]:
    ada, bo = await people.person("ada"), await people.person("bo")
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url) as connection:
        await connection.execute(AGE, ([ada.sid, bo.sid],))
    return ada, bo


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
    too_long = "x" * 1025
    return {
        "StartEmailVerification": (
            credentials_pb2.StartEmailVerificationRequest(email="nobody"),
            credentials_pb2.StartEmailVerificationResponse,
        ),
        "FinishEmailVerification": (
            users.FinishEmailVerificationRequest(request_id="bad"),
            users.FinishEmailVerificationResponse,
        ),
        "StartPasswordReset": (
            credentials_pb2.StartPasswordResetRequest(email="nobody"),
            credentials_pb2.StartPasswordResetResponse,
        ),
        "FinishPasswordReset": (
            credentials_pb2.FinishPasswordResetRequest(new_password=too_long),
            credentials_pb2.FinishPasswordResetResponse,
        ),
        "ChangePassword": (
            credentials_pb2.ChangePasswordRequest(current_password=too_long),
            credentials_pb2.ChangePasswordResponse,
        ),
        "ChangeEmail": (credentials_pb2.ChangeEmailRequest(new_email="nobody"), credentials_pb2.ChangeEmailResponse),
        "UndeleteUser": (users.UndeleteUserRequest(user_id=ada.user_id), users.UndeleteUserResponse),
        "CreateUser": (users.CreateUserRequest(email="nobody"), users.CreateUserResponse),
        "ImportUsers": (users.ImportUsersRequest(), users.ImportUsersResponse),
        "ListUsers": (users.ListUsersRequest(page_size=1), users.ListUsersResponse),
        "LookUpUser": (users.LookUpUserRequest(email=ada.email), users.LookUpUserResponse),
        "SuspendUser": (users.SuspendUserRequest(user_id=ada.user_id, etag="stale"), users.SuspendUserResponse),
        "ReactivateUser": (
            users.ReactivateUserRequest(user_id=ada.user_id, etag="stale"),
            users.ReactivateUserResponse,
        ),
        "RefreshSession": (sessions.RefreshSessionRequest(password=too_long), sessions.RefreshSessionResponse),
        "EnrollTotp": (factors_pb2.EnrollTotpRequest(), factors_pb2.EnrollTotpResponse),
        "ConfirmTotp": (factors_pb2.ConfirmTotpRequest(code="123456"), factors_pb2.ConfirmTotpResponse),
        "RemoveTotp": (factors_pb2.RemoveTotpRequest(user_id=ada.user_id), factors_pb2.RemoveTotpResponse),
        "RegenerateRecoveryCodes": (
            factors_pb2.RegenerateRecoveryCodesRequest(),
            factors_pb2.RegenerateRecoveryCodesResponse,
        ),
        "ListAuditEvents": (
            audit_events_pb2.ListAuditEventsRequest(user_id=ada.user_id),
            audit_events_pb2.ListAuditEventsResponse,
        ),
        "StreamEvents": (events_pb2.StreamEventsRequest(cursor="no cursor"), events_pb2.StreamEventsResponse),
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
    name = rpc.partition("/")[2]
    row = Row(frozenset(GETS_IN[rpc]), *requests(ada)[name], streams=name in STREAMS)
    before = await rows_of(pair, ada)
    await check_row(pair.identity.channel, rpc, row, POLICY[rpc], callers)
    assert await rows_of(pair, ada) == before
