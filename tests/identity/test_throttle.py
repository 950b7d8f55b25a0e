"""Buckets of tries: exact under races, locked in one order, given back once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from identity_service.constraint_errors import CONSTRAINT_ERRORS
from identity_service.queries.login_throttle import Bucket
from identity_service.throttle import Throttle, bucket
from shared.database import Database
from shared.errors import ServiceError
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tests.identity.conftest import Rows
from tests.identity.sign_ins import somebody_waits, source, taken, time_passes, use_up

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def throttle(pair: Pair) -> AsyncIterator[Throttle]:
    """With a connection for each of many at once."""
    database = Database(pair.identity.database_url, pool_size=64, name="test", constraint_errors=CONSTRAINT_ERRORS)
    yield Throttle(database)
    await database.close()


async def took(throttle: Throttle, *buckets: Bucket) -> bool:
    try:
        await throttle.take(*buckets)
    except ServiceError as error:
        if error.reason is not Reason.THROTTLED:
            raise
        return False
    return True


async def test_of_many_at_once_exactly_as_many_get_in_as_there_are_tries(throttle: Throttle) -> None:
    tries, others = bucket(10, MINUTE, source()), bucket(100, MINUTE, source())
    got_in = await asyncio.gather(*[took(throttle, tries, others) for _ in range(64)])
    assert sum(got_in) == 10


async def test_a_refused_try_takes_nothing_from_the_other_buckets(throttle: Throttle, rows: Rows) -> None:
    tries, others = bucket(10, MINUTE, source()), bucket(100, MINUTE, source())
    await asyncio.gather(*[took(throttle, tries, others) for _ in range(64)])
    assert await taken(rows, tries, others) == [10, 10]


async def test_two_buckets_are_locked_in_one_order_whatever_the_order_they_are_named_in(
    throttle: Throttle, rows: Rows
) -> None:
    """Who waits for the first holds no other: nobody waits for another in a circle."""
    first, second = sorted([bucket(1000, MINUTE, source()), bucket(1000, MINUTE, source())])
    await throttle.take(first, second)

    async def give_back(*buckets: Bucket) -> None:
        async with throttle._database.transaction() as tx:
            await throttle.give_back(tx, *buckets)

    for change, count in ((throttle.take, 2), (give_back, 1)):
        async with rows.transaction():
            await rows.execute("SELECT FROM login_throttle WHERE key = %s FOR UPDATE", (first.key,))
            changing = asyncio.ensure_future(change(second, first))
            await somebody_waits(rows)
            await rows.execute("SELECT FROM login_throttle WHERE key = %s FOR UPDATE NOWAIT", (second.key,))
        await changing
        assert await taken(rows, first, second) == [count, count]


async def test_tries_given_back_at_once_are_all_there_again(throttle: Throttle, rows: Rows) -> None:
    one, other = bucket(1000, MINUTE, source()), bucket(1000, MINUTE, source())

    async def try_in_vain(*buckets: Bucket) -> None:
        await throttle.take(*buckets)
        async with throttle._database.transaction() as tx:
            await throttle.give_back(tx, *buckets)

    await asyncio.gather(*[try_in_vain(*each) for each in [(one, other), (other, one), (one,)] * 12])
    assert await taken(rows, one, other) == [0, 0]


async def test_a_flood_is_refused_while_somebody_else_holds_the_rows(throttle: Throttle, rows: Rows) -> None:
    tries = bucket(10, MINUTE, source())
    await use_up(rows, tries)
    async with rows.transaction():
        await rows.execute("SELECT FROM login_throttle WHERE key = %s FOR UPDATE", (tries.key,))
        assert not await took(throttle, tries)


async def test_who_waits_as_long_as_told_gets_in_once(throttle: Throttle, rows: Rows) -> None:
    tries = bucket(3, MINUTE, source())
    assert [await took(throttle, tries) for _ in range(4)] == [True, True, True, False]
    with pytest.raises(ServiceError) as refused:
        await throttle.take(tries)
    assert refused.value.retry_after is not None
    assert 58 <= refused.value.retry_after <= 60
    await time_passes(rows, refused.value.retry_after, tries)
    assert [await took(throttle, tries) for _ in range(2)] == [True, False]
    await time_passes(rows, 3600, tries)
    assert [await took(throttle, tries) for _ in range(4)] == [True, True, True, False]


async def test_a_try_that_time_has_given_back_does_not_come_back_twice(throttle: Throttle, rows: Rows) -> None:
    tries = bucket(3, MINUTE, source())
    await throttle.take(tries)
    await time_passes(rows, 3600, tries)
    async with throttle._database.transaction() as tx:
        await throttle.give_back(tx, tries)
    assert [await took(throttle, tries) for _ in range(4)] == [True, True, True, False]
