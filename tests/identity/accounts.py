"""Accounts for tests, and what was written down about them."""

from typing import Any
from uuid import uuid4

from protos.identity.v1 import users_pb2
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from tenantry.testing.people import AS_OPERATOR
from tests.identity.conftest import Rows

PASSWORD = "tulip orbit canyon"
DELETE = """UPDATE users SET state = 'DELETED', delete_time = now(), purge_time = now() + interval '1 day'
             WHERE user_id = ANY(%s)"""


def address(name: str) -> str:
    return f"{name}.{uuid4().hex[:8]}@example.com"


async def created(users: UserServiceStub, **fields: Any) -> users_pb2.User:
    """By a service; with an address of its own unless one is given."""
    request = users_pb2.CreateUserRequest(**{"email": address("ada"), **fields})
    return (await users.CreateUser(request, metadata=AS_OPERATOR)).user


async def get(users: UserServiceStub, user_id: str) -> users_pb2.User:
    return (await users.GetUser(users_pb2.GetUserRequest(user_id=user_id), metadata=AS_OPERATOR)).user


async def events_of(rows: Rows, user_id: str) -> list[str]:
    """The types of the user's events in their order."""
    query = "SELECT type FROM events WHERE user_id = %s ORDER BY event_id"
    return [row[0] for row in await (await rows.execute(query, (user_id,))).fetchall()]


async def audit_of(rows: Rows, user_id: str) -> list[tuple[str, str | None]]:
    """What was done to the account, in its order, and by which service."""
    query = "SELECT action, actor_service FROM audit_events WHERE user_id = %s ORDER BY audit_event_id"
    return list(await (await rows.execute(query, (user_id,))).fetchall())
