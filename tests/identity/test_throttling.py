"""Guessing is slowed down: exactly, for all workers, and never at the expense of whoever signed in there before."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from uuid import uuid4

import pytest

from identity_service.passwords import THREADS, TURNS, WAITING, Passwords
from identity_service.sign_in_limits import code_bucket, password_buckets
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
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


def test_codes_from_unknown_sources_are_counted_together_and_known_ones_apart() -> None:
    user_id, here, there = uuid4(), device(source()), device(source())
    assert code_bucket(user_id, here, ()) == code_bucket(user_id, there, ())
    known = [*here.hashes, *there.hashes]
    assert len({code_bucket(user_id, each, known) for each in (here, there, device(source()))}) == 3
    assert code_bucket(user_id, here, ()) != code_bucket(uuid4(), here, ())
    assert code_bucket(user_id, here, ())[1:] == (5, MINUTE)


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


async def test_more_sign_ins_than_can_be_hashed_soon_are_told_to_come_back(
    sessions: SessionServiceStub, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = await people.persons(THREADS + WAITING, "ada", PASSWORD)
    arrived, all_wait, go_on = Counter[str](), asyncio.Event(), asyncio.Event()
    turn = Passwords.turn

    def counted(passwords: Passwords) -> AbstractAsyncContextManager[None]:
        arrived["sign-ins"] += 1
        if arrived["sign-ins"] == len(everybody):
            all_wait.set()
        return turn(passwords)

    async def slow(*_: object) -> bool:
        arrived["at the password"] += 1
        await go_on.wait()
        return False

    monkeypatch.setattr(Passwords, "turn", counted)
    monkeypatch.setattr(Passwords, "verify", slow)
    calls = [code(sessions.CreateSession(with_password(ada, WRONG), metadata=via(source()))) for ada in everybody]
    under_way = asyncio.gather(*calls)
    await all_wait.wait()
    async with fails(Reason.HASHING_BUSY) as failure:
        await sessions.CreateSession(with_password(everybody[0]), metadata=via(source()))
    assert failure.retry_after is not None
    assert 1 <= failure.retry_after <= 3
    assert arrived["at the password"] <= TURNS
    go_on.set()
    assert set(await under_way) == {"UNAUTHENTICATED"}
    monkeypatch.undo()
    await sessions.CreateSession(with_password(everybody[0]), metadata=via(source()))


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
