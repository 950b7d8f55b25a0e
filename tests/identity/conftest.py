"""What the tests of identity share: its stubs, its rows, and servers with settings of their own."""

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
import psycopg
import pytest

from protos.identity.v1.sessions_pb2 import BatchValidateSessionsRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from tenantry.testing.mail import Mailbox
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR

Rows: TypeAlias = "psycopg.AsyncConnection[Any]"


@pytest.fixture
def users(identity: grpc.aio.Channel) -> UserServiceStub:
    return UserServiceStub(identity)


@pytest.fixture
def sessions(identity: grpc.aio.Channel) -> SessionServiceStub:
    return SessionServiceStub(identity)


@pytest.fixture
async def rows(pair: Pair) -> AsyncIterator[Rows]:
    """The identity database with the rights of the service, as an Express app has them too."""
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def mailbox(pair: Pair) -> Mailbox:
    """What the pair has sent to anybody."""
    return Mailbox(pair.mail_folder)


async def validate(sessions: SessionServiceStub, *questions: str) -> list[str]:
    """For each token the id of its session, or the reason why there is none."""
    request = BatchValidateSessionsRequest(tokens=questions)
    results = (await sessions.BatchValidateSessions(request, metadata=AS_OPERATOR)).results
    return [result.session.session_id or result.error_reason for result in results]
