"""Password hashing: bounded, off the loop, the same work for everybody, no stored hash can stop the service."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from argon2 import PasswordHasher

from identity_service import passwords
from identity_service.foreign_hashes import read_hash
from identity_service.passwords import LEAST_TIME, THREADS, WAITING, Passwords
from protos.identity.v1.sessions_pb2 import CreateSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared.call import DEFAULT_DEADLINE
from shared.deadline import set_deadline
from shared.errors import ServiceError
from shared.reasons import Reason
from tests.calls import fails
from tests.identity.foreign_samples import DJANGO, KRATOS, PASSWORD

CHEAP = PasswordHasher(1, 8, 1)


@pytest.fixture
def hashing() -> Iterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_a_password_matches_its_own_hash_only(hashing: Passwords) -> None:
    stored = await hashing.hash("tulip orbit canyon")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await hashing.verify("tulip orbit canyon", stored)
    for other in ("Tulip orbit canyon", "tulip orbit canyon ", "tulip\0orbit canyon", ""):
        assert not await hashing.verify(other, stored)


async def test_nothing_is_cut_off(hashing: Passwords) -> None:
    stored = await hashing.hash("x" * 72 + "y")
    assert not await hashing.verify("x" * 72 + "z", stored)
    assert not await hashing.verify("x" * 72, stored)


async def test_without_a_hash_the_same_work_is_done_for_a_no(
    hashing: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[str] = []
    matches = hashing._matches

    def noted(password: str, stored: str) -> bool:
        verified.append(stored)
        return matches(password, stored)

    monkeypatch.setattr(hashing, "_matches", noted)
    assert not await hashing.verify("anything", None)
    assert not await hashing.verify("anything", "damaged")
    assert verified[0] == verified[1]
    assert verified[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not hashing.needs_rehash(verified[0])


@pytest.mark.parametrize("cost", ["m=262145,t=2,p=1", "m=262144,t=5,p=1", "m=19456,t=11,p=1", "m=19456,t=2,p=17"])
async def test_a_hash_above_the_ceilings_is_never_computed(hashing: Passwords, cost: str) -> None:
    hostile = (await hashing.hash("secret")).replace("m=19456,t=2,p=1", cost)
    assert read_hash(hostile) is None
    start = time.perf_counter()
    assert not await hashing.verify("secret", hostile)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    "damaged", ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=a,t=2,p=1$YQ$YQ"]
)
async def test_what_is_no_hash_matches_nothing(hashing: Passwords, damaged: str) -> None:
    assert not await hashing.verify("", damaged)


@pytest.mark.parametrize("foreign", DJANGO)
async def test_hashes_of_other_systems_match_too(hashing: Passwords, foreign: str) -> None:
    assert await hashing.verify(PASSWORD, foreign)
    assert not await hashing.verify(PASSWORD[:-1], foreign)


async def test_other_parameters_are_outdated(hashing: Passwords) -> None:
    assert hashing.needs_rehash(CHEAP.hash("secret"))
    for foreign in (*DJANGO, *KRATOS, "$2b$12$" + "." * 53):
        assert hashing.needs_rehash(foreign)
    assert not hashing.needs_rehash(await hashing.hash("secret"))


@asynccontextmanager
async def busy(hashing: Passwords) -> AsyncIterator[list[asyncio.Task[object]]]:
    """Both threads hold still until the block ends, so that nothing depends on how fast this machine is."""
    release = threading.Event()
    callers: list[asyncio.Task[object]] = [
        asyncio.create_task(hashing._in_thread(release.wait)) for _ in range(THREADS)
    ]
    await asyncio.sleep(0)
    try:
        yield callers
    finally:
        release.set()
        await asyncio.gather(*callers, return_exceptions=True)


async def refused(hashing: Passwords) -> float | None:
    """After how long to come back; None for who may wait."""
    try:
        async with asyncio.timeout(0.01):
            await hashing.hash("secret")
    except ServiceError as error:
        return error.retry_after if error.reason is Reason.HASHING_BUSY else 0.0
    except TimeoutError:
        return None
    raise AssertionError("no thread was free")


async def test_the_queue_is_bounded_and_says_when_to_come_back(hashing: Passwords) -> None:
    async with busy(hashing):
        waiting = [asyncio.create_task(hashing.hash("secret")) for _ in range(WAITING)]
        await asyncio.sleep(0)
        assert 1 <= (await refused(hashing) or 0) <= 3
    assert len(await asyncio.gather(*waiting)) == WAITING
    assert await hashing.hash("secret")  # there is room again


async def test_a_cancelled_caller_frees_its_place_only_when_the_thread_is_done(hashing: Passwords) -> None:
    async with busy(hashing) as callers:
        waiting = [asyncio.create_task(hashing.hash("secret")) for _ in range(WAITING)]
        await asyncio.sleep(0)
        for call in [*callers, *waiting]:
            call.cancel()
        await asyncio.gather(*callers, *waiting, return_exceptions=True)
        again = [asyncio.create_task(hashing.hash("secret")) for _ in range(WAITING)]
        await asyncio.sleep(0)
        assert 1 <= (await refused(hashing) or 0) <= 3  # the two that had begun still hold theirs
    assert len(await asyncio.gather(*again)) == WAITING


async def test_nothing_is_computed_for_who_will_not_wait_for_it(hashing: Passwords) -> None:
    begun: list[bool] = []

    async def begin(seconds: float) -> None:
        set_deadline(seconds)
        await hashing._in_thread(lambda: begun.append(True))

    with pytest.raises(ServiceError) as refused:
        await asyncio.create_task(begin(LEAST_TIME))
    assert refused.value.reason is Reason.DEADLINE_EXCEEDED
    assert begun == []
    await asyncio.create_task(begin(LEAST_TIME + 5))
    assert begun == [True]


async def test_a_call_brings_its_deadline(sessions: SessionServiceStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "LEAST_TIME", DEFAULT_DEADLINE + 1)
    async with fails(Reason.DEADLINE_EXCEEDED):
        await sessions.CreateSession(CreateSessionRequest(email="ada@example.com", password="x"))


async def test_the_loop_does_not_stall(hashing: Passwords) -> None:
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - start)

    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(hashing.hash("secret") for _ in range(20)))
    ticking.cancel()
    assert longest < 0.2  # inline, the 20 hashes would take twice that


@pytest.mark.parametrize(
    ("cores", "workers", "threads", "turns"), [(8, 1, 2, 2), (8, 3, 2, 2), (4, 4, 1, 1), (2, 64, 1, 1)]
)
def test_workers_divide_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, threads: int, turns: int
) -> None:
    monkeypatch.setattr(passwords, "cores", lambda: cores)
    monkeypatch.setattr(passwords, "THREADS", 2)
    monkeypatch.setattr(passwords, "TURNS", 2)
    made = Passwords(workers)
    assert (made.threads, made.turns) == (threads, turns)
    made.close()
