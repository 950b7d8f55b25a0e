"""Roles are read while identity is asked whose the sessions are: for whose they were, used for nobody else."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import psycopg
import pytest

from protos.identity.v1.sessions_pb2 import RevokeSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.tenancy.v1 import access_pb2 as pb
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from shared.database import Database
from shared.errors import ServiceError
from shared.reasons import Reason
from tenancy_service.check import MOST_OWNERS, Owners, Question
from tenancy_service.identity_client import IdentityClient
from tenancy_service.queries.access import ROLES_IN_PLACES
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails

IDENTITY_TAKES = 0.15  # seconds


@pytest.fixture(scope="module")
def access(tenancy: grpc.aio.Channel) -> AccessServiceStub:
    return AccessServiceStub(tenancy)


class Steps(list[str]):
    """What happened, in order. `fail` lets the next so many reads of roles fail."""

    fail = 0


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    found, hot_read, sessions = Steps(), Database.hot_read, IdentityClient.sessions

    async def noted_read(self: Database, statement: str, values: Sequence[str]) -> list[tuple[Any, ...]]:
        if statement is ROLES_IN_PLACES:
            found.append("read")
            if found.fail:
                found.fail -= 1
                raise ServiceError(Reason.DATABASE_UNAVAILABLE)
        return await hot_read(self, statement, values)

    async def noted_sessions(self: IdentityClient, tokens: Sequence[str]) -> Any:
        answer = await sessions(self, tokens)
        await asyncio.sleep(IDENTITY_TAKES)
        found.append("identity answered")
        return answer

    monkeypatch.setattr(Database, "hot_read", noted_read)
    monkeypatch.setattr(IdentityClient, "sessions", noted_sessions)
    return found


async def test_who_is_known_is_not_read_once_more(access: AccessServiceStub, people: People, steps: Steps) -> None:
    ada = await people.person()
    question = pb.CheckAccessRequest(organization_id=await people.organization(ada), permission="organization:read")
    steps.clear()
    first = await access.CheckAccess(question, metadata=ada.metadata)
    assert steps == ["read", "identity answered"]  # of people.organization(), which asked about the session
    for _ in range(2):
        assert await access.CheckAccess(question, metadata=ada.metadata) == first
    assert steps == ["read", "identity answered"] * 3
    again = await people.session(ada)
    steps.clear()
    assert (await access.CheckAccess(question, metadata=again.metadata)).allowed
    assert steps == ["identity answered", "read"]


async def test_a_session_that_changed_hands_is_its_new_owners(
    access: AccessServiceStub, people: People, pair: Pair
) -> None:
    """Express may sign in another person in the same session."""
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    question = pb.CheckAccessRequest(organization_id=acme, permission="organization:read")
    assert (await access.CheckAccess(question, metadata=ada.metadata)).allowed
    change = "UPDATE session SET sess = jsonb_set(sess::jsonb, '{userId}', to_jsonb(%s::text)) WHERE sid = %s"
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url, autocommit=True) as connection:
        for user_id, allowed in ((bo.user_id, False), (ada.user_id, True), (bo.user_id, False)):
            await connection.execute(change, (user_id, ada.sid))
            answer = await access.CheckAccess(question, metadata=ada.metadata)
            assert (answer.user_id, answer.allowed) == (user_id, allowed)


async def test_a_batch_of_known_and_unknown_and_ended_sessions_keeps_them_apart(
    access: AccessServiceStub, people: People, pair: Pair
) -> None:
    ada, bo, cy, di = await people.persons(4)
    acme = await people.organization(ada, MEMBER=[bo, cy])
    for person in (ada, bo):
        question = pb.CheckAccessRequest(organization_id=acme, permission="organization:delete")
        await access.CheckAccess(question, metadata=person.metadata)
    await SessionServiceStub(pair.identity.channel).RevokeSession(RevokeSessionRequest(), metadata=bo.metadata)
    tokens = [cy.token, ada.token, bo.token, di.token, ada.token]
    places = {"organization_id": acme, "permission": "organization:delete"}
    requests = [pb.CheckAccessRequest(session_token=token, **places) for token in tokens]
    requests.append(pb.CheckAccessRequest(user_id=cy.user_id, **places))
    response = await access.BatchCheckAccess(pb.BatchCheckAccessRequest(requests=requests), metadata=AS_OPERATOR)
    told = [(each.answer.user_id, each.answer.allowed) for each in response.results]
    assert told == [
        (cy.user_id, False), (ada.user_id, True), ("", False), (di.user_id, False), (ada.user_id, True),
        (cy.user_id, False),
    ]  # fmt: skip
    assert response.results[2].error_reason == "SESSION_INVALID"


async def test_a_look_ahead_that_fails_is_taken_again_and_a_second_failure_is_told(
    access: AccessServiceStub, people: People, steps: Steps
) -> None:
    ada = await people.person()
    question = pb.CheckAccessRequest(organization_id=await people.organization(ada), permission="organization:read")
    steps.clear()
    steps.fail = 1
    assert (await access.CheckAccess(question, metadata=ada.metadata)).allowed
    assert steps == ["read", "identity answered", "read"]
    steps.fail = 2
    async with fails(Reason.DATABASE_UNAVAILABLE):
        await access.CheckAccess(question, metadata=ada.metadata)


def test_guesses_are_few_and_the_oldest_go_first() -> None:
    owners = Owners()
    for n in range(MOST_OWNERS + 5):
        owners.note({f"token {n}": (f"user {n}", "session")})
    owners.note({"refused": ServiceError(Reason.SESSION_INVALID)})
    asked = [0, 4, 5, MOST_OWNERS + 4]
    guesses = owners.guess([Question(f"token {n}") for n in asked] + [Question("refused"), Question("x", user_id="u")])
    assert guesses == [None, None, "user 5", f"user {MOST_OWNERS + 4}", None, "u"]
