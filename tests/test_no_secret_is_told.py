"""After the whole suite: no password, token or sid stands in a log, an error, the audit, an event or an answer kept.

tests/conftest.py looks once more in each process that ran a part of it.
"""

from uuid import uuid4

import pytest

from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.tenancy.v1.invitations_pb2 import AcceptInvitationRequest, DeclineInvitationRequest
from shared.reasons import Reason
from tenantry.testing.pair import OPERATOR_KEY, TENANCY_KEY, Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People
from tests.calls import fails
from tests.canaries import Canaries
from tests.tenancy.inviting import Inviting, an_address
from tests.told import none_in_logs, none_in_tables

PASSWORD = "canary-tulip-orbit-canyon-93"


@pytest.fixture
async def lived(pair: Pair, people: People, canaries: Canaries) -> Canaries:
    """Whatever else has run: somebody signs in, mistypes, accepts an invitation, and signs out."""
    sessions = SessionServiceStub(pair.identity.channel)
    ada = await people.person("ada", password=PASSWORD)
    made = await sessions.CreateSession(pb.CreateSessionRequest(email=ada.email, password=PASSWORD))
    async with fails(Reason.SIGN_IN_FAILED):
        await sessions.CreateSession(pb.CreateSessionRequest(email=ada.email, password=PASSWORD[:-1]))
    async with fails(Reason.BAD_REQUEST):
        await sessions.CreateSession(pb.CreateSessionRequest(email=PASSWORD, password=PASSWORD))
    as_ada = (("authorization", f"Bearer {made.token}"),)
    secret = await invited(pair, people, as_ada)
    await sessions.RevokeSession(pb.RevokeSessionRequest(), metadata=as_ada)
    async with fails(Reason.SESSION_INVALID):
        await sessions.GetSession(pb.GetSessionRequest(), metadata=as_ada)
    for key in (OPERATOR_KEY, TENANCY_KEY):
        canaries.note(key.partition(".")[2])
    assert {PASSWORD, PASSWORD[:-1], secret, made.token[2:].partition(".")[0]} <= canaries.secrets
    return canaries


async def invited(pair: Pair, people: People, metadata: Metadata) -> str:
    """The secret of an invitation that the caller has accepted, and could not decline any more."""
    inviting, bo = Inviting(pair), await people.person("bo")
    address = an_address()
    await inviting.invite(bo, await people.organization(bo), address)
    secret = await inviting.secret(address)
    for _ in range(2):
        request = AcceptInvitationRequest(secret=secret, request_id=str(uuid4()))
        await inviting.stub.AcceptInvitation(request, metadata=metadata)
    async with fails(Reason.INVITATION_ACCEPTED):
        await inviting.stub.DeclineInvitation(DeclineInvitationRequest(secret=secret), metadata=metadata)
    return secret


@pytest.mark.last
async def test_the_logs_and_the_errors_hold_none(lived: Canaries) -> None:
    said = lived.said()
    assert said.count("SessionService/CreateSession") >= 3
    assert said.count("SIGN_IN_FAILED") >= 1
    none_in_logs(lived)


@pytest.mark.last
@pytest.mark.parametrize(("service", "table_of_secrets"), [("identity", "one_time_tokens"), ("tenancy", "invitations")])
async def test_the_tables_hold_none_but_for_the_sid_itself(
    pair: Pair, lived: Canaries, service: str, table_of_secrets: str
) -> None:
    url = {"identity": pair.identity, "tenancy": pair.tenancy}[service].database_url
    tables = await none_in_tables(url, lived)
    assert {"audit_events", "events", "outbox_emails", "request_results", table_of_secrets} <= set(tables)


async def test_a_secret_that_is_told_would_be_found(people: People) -> None:
    found = Canaries()
    found.note(PASSWORD)
    found.note("a password of words")
    assert found.found_in(f'{{"password": "{PASSWORD}"}} and a password of words.') == found.secrets
    assert found.found_in("nothing of it") == set()
    assert AS_OPERATOR[0][1] == OPERATOR_KEY
