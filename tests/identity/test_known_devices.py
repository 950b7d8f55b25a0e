"""Devices and sources that somebody has signed in with before: what makes them known, and what does not."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from identity_service.constraint_errors import CONSTRAINT_ERRORS
from identity_service.queries.known_devices import MOST, delete_known_devices
from identity_service.sign_in_limits import password_buckets
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared.database import Database
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, running_pair
from tenantry.testing.people import People, TestPerson
from tests.calls import code
from tests.identity.conftest import Rows
from tests.identity.sign_ins import PASSWORD, device, source, use_up, via, with_password


@pytest.fixture(scope="module")
async def pair(databases: Databases) -> AsyncIterator[Pair]:
    async with running_pair(databases, identity={"TRUSTED_PROXIES": "127.0.0.0/8"}) as running:
        yield running


@pytest.fixture(scope="module")
def people(pair: Pair) -> People:
    return People(pair)


@pytest.fixture
def sessions(pair: Pair) -> SessionServiceStub:
    return SessionServiceStub(pair.identity.channel)


async def is_known(sessions: SessionServiceStub, rows: Rows, person: TestPerson, address: str, token: str = "") -> bool:
    """Whether they get in while others have used up the tries of unknown sources."""
    await use_up(rows, *password_buckets(person.email, device(address), ()))
    request = with_password(person, device_token=token)
    return await code(sessions.CreateSession(request, metadata=via(address))) == "OK"


async def hashes_of(rows: Rows, person: TestPerson) -> set[bytes]:
    query = "SELECT device_hash FROM known_devices WHERE user_id = %s"
    return {row[0] for row in await (await rows.execute(query, (person.user_id,))).fetchall()}


async def test_a_device_gets_one_token_and_keeps_it(sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    ada, home = await people.person("ada", PASSWORD), source()
    first = (await sessions.CreateSession(with_password(ada), metadata=via(home))).device_token
    assert len(first) == 43
    assert await hashes_of(rows, ada) == set(device(home, first).hashes)
    again = await sessions.CreateSession(with_password(ada, device_token=first), metadata=via(home))
    other = await sessions.CreateSession(with_password(ada), metadata=via(home))
    assert again.device_token == first
    assert other.device_token != first
    assert len(await hashes_of(rows, ada)) == 3


async def test_device_and_source_are_known_each_by_itself(
    sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, home = await people.person("ada", PASSWORD), source()
    token = (await sessions.CreateSession(with_password(ada), metadata=via(home))).device_token
    assert await is_known(sessions, rows, ada, home)
    assert await is_known(sessions, rows, ada, source(), token)
    assert not await is_known(sessions, rows, ada, source())


async def test_nobody_passes_for_a_known_device(sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    ada, eve = await people.person("ada", PASSWORD), await people.person("eve", PASSWORD)
    home, den = source(), source()
    token = (await sessions.CreateSession(with_password(ada), metadata=via(home))).device_token
    of_eve = (await sessions.CreateSession(with_password(eve), metadata=via(den))).device_token
    network = device(home).source
    for forged in (of_eve, "x", token[:-1], token + "x", f"source\0{network}", network, home):
        assert not await is_known(sessions, rows, ada, den, forged)
    made = await sessions.CreateSession(with_password(eve, device_token=token), metadata=via(den))
    assert made.device_token not in (token, of_eve)


async def test_wrong_passwords_make_nothing_known(sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    ada, here = await people.person("ada", PASSWORD), source()
    assert await code(sessions.CreateSession(with_password(ada, "wrong"), metadata=via(here))) == "UNAUTHENTICATED"
    assert await hashes_of(rows, ada) == set()


async def test_of_many_the_ones_used_last_stay(sessions: SessionServiceStub, people: People, rows: Rows) -> None:
    ada, home = await people.person("ada", PASSWORD), source()
    token = (await sessions.CreateSession(with_password(ada), metadata=via(home))).device_token
    mine = set(device(home, token).hashes)
    numbers = [b"%064d" % number for number in range(MOST)]
    for age, hashes in (("1 hour", numbers[:2]), ("1 minute", list(mine)), ("1 second", numbers[2:])):
        await rows.execute(
            """INSERT INTO known_devices SELECT %s, hash, now() - %s::interval FROM unnest(%s::bytea[]) AS t (hash)
                   ON CONFLICT (user_id, device_hash) DO UPDATE SET last_used_time = excluded.last_used_time""",
            (ada.user_id, age, hashes),
        )
    there = source()
    await sessions.CreateSession(with_password(ada, device_token=token), metadata=via(there))
    left = await hashes_of(rows, ada)
    assert left == set(device(there, token).hashes) | set(numbers[2:])


async def test_forgotten_devices_are_unknown_again(
    pair: Pair, sessions: SessionServiceStub, people: People, rows: Rows
) -> None:
    ada, home = await people.person("ada", PASSWORD), source()
    token = (await sessions.CreateSession(with_password(ada), metadata=via(home))).device_token
    database = Database(pair.identity.database_url, pool_size=1, name="test", constraint_errors=CONSTRAINT_ERRORS)
    async with database.transaction() as tx:
        await delete_known_devices(tx, user_id=UUID(ada.user_id))
    await database.close()
    assert not await is_known(sessions, rows, ada, home, token)
