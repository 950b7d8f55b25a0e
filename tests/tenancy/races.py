"""Many rounds of two calls at once, each round in an organization of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import grpc
import psycopg
from hypothesis import settings
from psycopg.rows import TupleRow

from tenantry.testing.pair import Pair
from tests.calls import read

# Of two calls each, in every race; HYPOTHESIS_PROFILE=full has the number that the rules were tried with.
ROUNDS = 300 if settings.get_current_profile_name() == "full" else 100
AT_ONCE = 15

Round = TypeVar("Round")
Answer = TypeVar("Answer")

# What calls that lost may always be told: to try again.
CONFLICT = "CONFLICT"

ORGANIZATIONS = """
    WITH made AS (
        INSERT INTO organizations (organization_id, slug, display_name)
        SELECT id, 'race-' || id, 'Race' FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, %(count)s)) ids
        RETURNING organization_id),
    numbered AS (SELECT organization_id, row_number() OVER () AS n FROM made),
    joined AS (
        INSERT INTO organization_members (organization_id, user_id, role)
        SELECT organization_id, user_id, role
          FROM numbered
          JOIN unnest(%(numbers)s::int[], %(users)s::uuid[], %(roles)s::text[]) AS m (number, user_id, role)
            ON m.number = n OR m.number = 0)
    SELECT organization_id::text FROM numbered ORDER BY n"""


async def organizations(pair: Pair, count: int, **members: str | Sequence[str]) -> list[str]:
    """Ids of new ones. `members` by role: one user of all organizations, or one for each."""
    numbers: list[int] = []
    users: list[str] = []
    roles: list[str] = []
    for role, user_ids in members.items():
        each = [user_ids] if isinstance(user_ids, str) else user_ids
        numbers += [0] if isinstance(user_ids, str) else range(1, count + 1)
        users += each
        roles += [role.rstrip("_")] * len(each)
    values = {"count": count, "numbers": numbers, "users": users, "roles": roles}
    return [row[0] for row in await rows(pair, ORGANIZATIONS, values)]


async def rows(pair: Pair, query: str, values: Any = None) -> list[TupleRow]:
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        cursor = await connection.execute(query.encode(), values)
        return await cursor.fetchall()


async def execute(pair: Pair, statement: str, values: Any = None) -> None:
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        await connection.execute(statement.encode(), values)


async def rounds(of: Sequence[Round], race: Callable[[Round], Coroutine[Any, Any, Answer]]) -> list[Answer]:
    """Some at a time; their answers in order."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(each: Round) -> Answer:
        async with free:
            return await race(each)

    return await asyncio.gather(*map(one, of))


async def told(call: Awaitable[object]) -> str:
    """OK, or the reason."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return read(error).reason
    return "OK"
