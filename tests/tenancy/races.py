"""Many rounds of two calls at once, each round in an organization of its own."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import grpc
import psycopg
from psycopg.rows import TupleRow

from shared.errors import ServiceError
from shared.reasons import Reason
from tenantry.testing.pair import Pair, Service, running_tenancy
from tests.calls import read

AT_ONCE = 5  # rounds of two calls: as many transactions as there are connections
PAIRS_AT_ONCE = 15
CONFLICT = Reason.CONFLICT.name  # to try again

Round = TypeVar("Round")
Answer = TypeVar("Answer")
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


def by_first(found: list[TupleRow]) -> dict[str, Any]:
    """Values of the second column by those of the first."""
    return {row[0]: row[1] for row in found}


async def execute(pair: Pair, statement: str, values: Any = None) -> None:
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        await connection.execute(statement.encode(), values)


async def rounds(
    of: Sequence[Round], one: Callable[[Round], Coroutine[Any, Any, Answer]], at_once: int = AT_ONCE
) -> list[Answer]:
    """Some at a time; their answers in order."""
    free = asyncio.Semaphore(at_once)

    async def when_free(each: Round) -> Answer:
        async with free:
            return await one(each)

    return await asyncio.gather(*map(when_free, of))


def roomy_tenancy(pair: Pair) -> AbstractAsyncContextManager[Service]:
    """For races: with a connection for every call, and no quota of what one may own."""
    changes = {"organizations_per_user": 100_000, "database_pool_size": 2 * PAIRS_AT_ONCE}
    return running_tenancy(pair.tenancy_settings.model_copy(update=changes))


async def race(
    of: Sequence[Round], one: Callable[[Round], Awaitable[object]], other: Callable[[Round], Awaitable[object]]
) -> list[tuple[str, str]]:
    """What both were told in each round: OK, or the reason."""

    async def both(numbered: tuple[int, Round]) -> tuple[str, str]:
        n, each = numbered
        # Whoever is started first would nearly always be the first.
        if n % 2:
            second, first = await asyncio.gather(in_the_end(other, each), in_the_end(one, each))
        else:
            first, second = await asyncio.gather(in_the_end(one, each), in_the_end(other, each))
        return first, second

    return await rounds(list(enumerate(of)), both, PAIRS_AT_ONCE)


async def in_the_end(call: Callable[[Round], Awaitable[object]], each: Round) -> str:
    """What they are told who try again when they are told to."""
    while (answer := await told(call(each))) == CONFLICT:
        pass
    return answer


async def told(call: Awaitable[object]) -> str:
    """OK, or the reason."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return read(error).reason
    except ServiceError as error:
        return error.reason.name
    return "OK"


def check(seen: Iterable[object], *allowed: object) -> None:
    """Nothing else has happened; how often each has is for people to see."""
    counts = Counter(seen)
    print(dict(counts))
    assert counts.keys() <= set(allowed), f"{counts}; allowed: {allowed}"
