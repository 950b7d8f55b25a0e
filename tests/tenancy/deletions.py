"""Users deleted in identity, and what of them is left in tenancy's tables."""

from collections.abc import Sequence
from typing import Any

import psycopg

from protos.identity.v1.users_pb2 import DeleteUserRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from tenantry.testing.following import caught_up
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, TestPerson

MEMBERS = "SELECT user_id::text, role FROM organization_members WHERE organization_id = %s ORDER BY user_id"
AUDIT = """SELECT action, target_user_id::text, actor_service, actor_user_id, ip FROM audit_events
            WHERE organization_id = %s AND actor_service = 'tenancy' ORDER BY audit_event_id"""
EVENTS = "SELECT type, user_id::text FROM events WHERE organization_id = %s AND event_id > %s ORDER BY event_id"


async def rows(url: str, statement: str, *values: object) -> list[Any]:
    """What it returns; committed."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(statement, values)
        return await cursor.fetchall() if cursor.description else []


async def delete(pair: Pair, *people: TestPerson) -> None:
    """In identity, and wait for tenancy."""
    users = UserServiceStub(pair.identity.channel)
    for person in people:
        await users.DeleteUser(DeleteUserRequest(user_id=person.user_id), metadata=AS_OPERATOR)
    await caught_up(pair)


async def members(pair: Pair, organization_id: str) -> dict[str, str]:
    """Roles by user."""
    return dict(await rows(pair.tenancy.database_url, MEMBERS, organization_id))


async def audited(pair: Pair, organization_id: str) -> list[tuple[str, str]]:
    """What followed from events of identity: actions and whom they were about."""
    found = await rows(pair.tenancy.database_url, AUDIT, organization_id)
    assert all(actor is None and ip is None for *_, actor, ip in found)
    return [(action, target) for action, target, *_ in found]


async def last_event(pair: Pair) -> int:
    [[last]] = await rows(pair.tenancy.database_url, "SELECT coalesce(max(event_id), 0) FROM events")
    return int(last)


async def told(pair: Pair, organization_id: str, after: int) -> Sequence[tuple[str, str | None]]:
    """Types of events since, and whom they are about."""
    return await rows(pair.tenancy.database_url, EVENTS, organization_id, after)
