"""Guessing is slowed down: exactly, for all workers, and never at the expense of whoever signed in there before."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from identity_service.constraint_errors import CONSTRAINT_ERRORS
from identity_service.passwords import Passwords
from identity_service.queries.login_throttle import Bucket
from identity_service.sign_in_limits import password_buckets
from identity_service.throttle import Throttle, bucket
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared.database import Database
from shared.errors import ServiceError
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, running_identity, running_pair
from tenantry.testing.people import People
from tests.calls import Failure, code, fails
from tests.identity.conftest import Rows
from tests.identity.sign_ins import (
    PASSWORD,
    WRONG,
    audited,
    device,
    source,
    taken,
    time_passes,
    use_up,
    via,
    with_password,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
async def pair(databases: Databases) -> AsyncIterator[Pair]:
    """Behind a proxy, so that calls come from wherever a test says."""
    async with running_pair(databases, identity={"TRUSTED_PROXIES": "127.0.0.0/8"}) as running:
        yield running


@pytest.fixture(scope="module")
def people(pair: Pair) -> People:
    return People(pair)


@pytest.fixture
def sessions(pair: Pair) -> SessionServiceStub:
    return SessionServiceStub(pair.identity.channel)


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


async def test_tries_that_meet_in_two_buckets_do_not_wait_for_each_other_in_a_circle(
    throttle: Throttle, rows: Rows
) -> None:
    one, other = bucket(1000, MINUTE, source()), bucket(1000, MINUTE, source())
    pairs = [(one, other), (other, one)] * 32
    assert all(await asyncio.gather(*[took(throttle, *each) for each in pairs]))

    async def give_back(*buckets: Bucket) -> None:
        async with throttle._database.transaction() as tx:
            await throttle.give_back(tx, *buckets)

    await asyncio.gather(*[give_back(*each) for each in pairs])
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


async def test_after_ten_wrong_passwords_a_source_waits_and_no_other(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, here = await people.person("ada", PASSWORD), source()
    for _ in range(10):
        async with fails(Reason.SIGN_IN_FAILED):
            await sessions.CreateSession(with_password(ada, WRONG), metadata=via(here))
    async with fails(Reason.THROTTLED) as failure:
        await sessions.CreateSession(with_password(ada), metadata=via(here))
    assert failure.retry_after is not None
    assert 290 <= failure.retry_after <= 300
    await sessions.CreateSession(with_password(ada), metadata=via(source()))
    await time_passes(rows, failure.retry_after, *password_buckets(ada.email, device(here), ()))
    await sessions.CreateSession(with_password(ada), metadata=via(here))


async def test_addresses_of_nobody_are_throttled_like_others(sessions: SessionServiceStub, people: People) -> None:
    ada = await people.person("ada", PASSWORD)

    async def seen(email: str) -> list[tuple[str, str]]:
        here, found = source(), []
        for _ in range(12):
            failure = Failure()
            try:
                async with fails(Reason.SIGN_IN_FAILED) as failure:
                    await sessions.CreateSession(with_password(email, WRONG), metadata=via(here))
            except AssertionError:
                assert failure.reason == "THROTTLED", failure
            found.append((failure.reason, failure.message))
        return found

    of_ada, of_nobody = await seen(ada.email), await seen("nobody.at.all@example.com")
    assert of_ada == of_nobody
    assert [reason for reason, _ in of_ada] == ["SIGN_IN_FAILED"] * 10 + ["THROTTLED"] * 2


async def test_who_guesses_at_many_accounts_is_slowed_down_by_the_source(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, here = await people.person("ada", PASSWORD), source()
    _, of_source, _ = password_buckets(ada.email, device(here), ())
    assert (of_source.burst, of_source.step) == (100, timedelta(seconds=36))
    await use_up(rows, of_source)
    neighbour = here.removesuffix("1") + "ffff"  # of the same /64
    for address in (here, neighbour):
        async with fails(Reason.THROTTLED):
            await sessions.CreateSession(with_password(ada), metadata=via(address))
    await sessions.CreateSession(with_password(ada), metadata=via(source()))


async def test_who_guesses_from_many_sources_is_slowed_down_by_the_account_and_known_ones_get_in(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, home = await people.person("ada", PASSWORD), source()
    first = await sessions.CreateSession(with_password(ada), metadata=via(home))
    _, _, of_account = password_buckets(ada.email, device(home), ())
    assert (of_account.burst, of_account.step) == (50, timedelta(seconds=72))
    await use_up(rows, of_account)
    async with fails(Reason.THROTTLED):
        await sessions.CreateSession(with_password(ada), metadata=via(source()))
    await sessions.CreateSession(with_password(ada), metadata=via(home))
    elsewhere = with_password(ada, device_token=first.device_token)
    await sessions.CreateSession(elsewhere, metadata=via(source()))


async def test_a_known_device_has_tries_of_its_own_and_no_more(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada = await people.person("ada", PASSWORD)
    token = (await sessions.CreateSession(with_password(ada), metadata=via(source()))).device_token
    guess = with_password(ada, WRONG, device_token=token)
    codes = [await code(sessions.CreateSession(guess, metadata=via(source()))) for _ in range(11)]
    assert codes == ["UNAUTHENTICATED"] * 10 + ["RESOURCE_EXHAUSTED"]
    _, _, of_account = password_buckets(ada.email, device(source()), ())
    assert await taken(rows, of_account) == [0]


async def test_who_gets_in_has_used_up_nothing(sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    ada, here = await people.person("ada", PASSWORD), source()
    buckets = password_buckets(ada.email, device(here), ())
    token = (await sessions.CreateSession(with_password(ada), metadata=via(here))).device_token
    assert await taken(rows, *buckets) == [0, 0, 0]
    known = device(here, token)
    await sessions.CreateSession(with_password(ada, device_token=token), metadata=via(here))
    assert await taken(rows, *password_buckets(ada.email, known, known.hashes)) == [0]
    async with fails(Reason.SIGN_IN_FAILED):
        await sessions.CreateSession(with_password(ada, WRONG), metadata=via(source()))
    assert await taken(rows, buckets[2]) == [1]


async def test_a_password_that_nobody_had_time_to_check_is_no_try(
    sessions: SessionServiceStub, people: People, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> bool:
        raise ServiceError(Reason.HASHING_BUSY, retry_after=1)

    ada, here = await people.person("ada", PASSWORD), source()
    monkeypatch.setattr(Passwords, "verify", busy)
    async with fails(Reason.HASHING_BUSY) as failure:
        await sessions.CreateSession(with_password(ada, WRONG), metadata=via(here))
    assert failure.retry_after == 1
    assert await taken(rows, *password_buckets(ada.email, device(here), ())) == [0, 0, 0]
    assert await audited(rows, ada) == []


async def test_what_is_counted_is_known_to_every_worker_and_survives_them(
    pair: Pair, sessions: SessionServiceStub, people: People
) -> None:
    ada, here = await people.person("ada", PASSWORD), source()
    for _ in range(10):
        async with fails(Reason.SIGN_IN_FAILED):
            await sessions.CreateSession(with_password(ada, WRONG), metadata=via(here))
    async with running_identity(pair.identity_settings) as another, fails(Reason.THROTTLED):
        await SessionServiceStub(another.channel).CreateSession(with_password(ada), metadata=via(here))


async def test_a_thousand_guesses_from_two_hundred_sources_cost_few_hashes_and_lock_nobody_out(
    sessions: SessionServiceStub, people: People, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """benchmarks/guessing.py does it with ten thousand."""
    ada = await people.person("ada", PASSWORD)
    token = (await sessions.CreateSession(with_password(ada), metadata=via(source()))).device_token
    checked: list[str] = []
    verify = Passwords.verify

    async def counting(passwords: Passwords, password: str, stored: str | None) -> bool:
        checked.append(password)
        return await verify(passwords, password, stored)

    monkeypatch.setattr(Passwords, "verify", counting)
    places = iter([source() for _ in range(200)] * 5)
    codes = Counter[str]()

    async def guess() -> None:
        for place in places:
            told = await code(sessions.CreateSession(with_password(ada, WRONG), metadata=via(place)))
            codes[told] += 1

    guessing = [asyncio.create_task(guess()) for _ in range(16)]
    for _ in range(20):
        await sessions.CreateSession(with_password(ada, device_token=token), metadata=via(source()))
    await asyncio.gather(*guessing)
    hashes = checked.count(WRONG)
    assert 50 <= hashes <= 100
    assert codes == {"UNAUTHENTICATED": hashes, "RESOURCE_EXHAUSTED": 1000 - hashes}
    assert (await audited(rows, ada)).count("SIGN_IN_FAILED") == hashes
    async with fails(Reason.THROTTLED) as failure:
        await sessions.CreateSession(with_password(ada, WRONG), metadata=via(source()))
    assert failure.retry_after is not None
    assert 1 <= failure.retry_after <= 72
