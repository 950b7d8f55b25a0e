"""Tenancy away while a thousand users are deleted, and killed while it catches up: every effect exactly once."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from protos.identity.v1.users_pb2 import DeleteUserRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from tenantry.ports import free_port
from tenantry.testing.databases import Databases
from tenantry.testing.following import caught_up
from tenantry.testing.pair import TENANCY_KEY, Pair
from tenantry.testing.people import AS_OPERATOR
from tests.tenancy.apart import Apart, apart
from tests.tenancy.deletions import rows

USERS, PLACES = 1000, 20  # a user belongs to one place or two, and each place has one of them as owner
INSERT_USER = "INSERT INTO users (user_id, email, email_key, display_name) VALUES (%s, %s, %s, '')"
INSERT_PLACE = "INSERT INTO organizations (organization_id, slug, display_name) VALUES (%s, %s, '')"
INSERT_MEMBER = "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, %s)"
REMOVED = "SELECT organization_id, target_user_id FROM audit_events WHERE action = 'MEMBER_REMOVED'"
TOLD = "SELECT organization_id, user_id FROM events WHERE type = 'MEMBER_REMOVED'"
SUCCESSIONS = """SELECT action, organization_id FROM audit_events
                  WHERE action IN ('OWNER_SUCCEEDED', 'OWNER_LOST') ORDER BY audit_event_id"""
OWNERLESS = "SELECT organization_id FROM organizations WHERE ownerless_time IS NOT NULL"
COUNT_REMOVED = f"SELECT count(*) FROM ({REMOVED}) removed"


class World:
    """Half of the places have an admin who stays."""

    def __init__(self) -> None:
        self.users = [uuid7() for _ in range(USERS)]
        self.places = [uuid7() for _ in range(PLACES)]
        self.admins = {place: uuid7() for place in self.places[: PLACES // 2]}
        self.memberships = {(self.places[n % PLACES], user) for n, user in enumerate(self.users)}
        self.memberships |= {(self.places[(n + 7) % PLACES], user) for n, user in enumerate(self.users[:100])}

    async def fill(self, alone: Apart) -> None:
        async with await psycopg.AsyncConnection.connect(alone.identity.database_url) as identity:
            users = [*self.users, *self.admins.values()]
            await identity.cursor().executemany(INSERT_USER, [(user, user.hex, user.hex) for user in users])
        async with await psycopg.AsyncConnection.connect(alone.tenancy_url) as tenancy:
            places = [(place, f"place-{n}") for n, place in enumerate(self.places)]
            await tenancy.cursor().executemany(INSERT_PLACE, places)
            owners = set(zip(self.places, self.users, strict=False))
            roles = [(*each, "OWNER" if each in owners else "MEMBER") for each in self.memberships]
            roles += [(place, admin, "ADMIN") for place, admin in self.admins.items()]
            await tenancy.cursor().executemany(INSERT_MEMBER, roles)


@pytest.fixture
async def alone(databases: Databases) -> AsyncIterator[Apart]:
    async with apart(databases) as identity:
        yield identity


@contextmanager
def process(alone: Apart) -> Iterator["subprocess.Popen[bytes]"]:
    """Tenancy as it runs in production."""
    environment = {
        "DATABASE_URL": alone.tenancy_url,
        "LISTEN_ADDRESS": f"127.0.0.1:{free_port()}",
        "IDENTITY_ADDRESS": alone.identity.address,
        "IDENTITY_SERVICE_KEY": TENANCY_KEY,
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "tenancy_service"]
    with subprocess.Popen(command, env={**os.environ, **environment}) as running:
        try:
            yield running
        finally:
            running.kill()


async def delete_all(alone: Apart, users: Sequence[UUID]) -> None:
    stub = UserServiceStub(alone.identity.channel)
    for start in range(0, len(users), 50):
        await asyncio.gather(
            *[
                stub.DeleteUser(DeleteUserRequest(user_id=str(user)), metadata=AS_OPERATOR)
                for user in users[start : start + 50]
            ]
        )


async def removed(alone: Apart) -> int:
    [[count]] = await rows(alone.tenancy_url, COUNT_REMOVED)
    return int(count)


async def test_nothing_is_lost_and_nothing_happens_twice(alone: Apart) -> None:
    async with alone.tenancy() as pair:
        await caught_up(pair)
    world = World()
    await world.fill(alone)
    await delete_all(alone, world.users)
    with process(alone):
        async with asyncio.timeout(60):
            while await removed(alone) < len(world.memberships) // 4:  # noqa: ASYNC110 - the database knows
                await asyncio.sleep(0.005)
    # Killed, wherever it was.
    assert await removed(alone) < len(world.memberships)
    with process(alone):
        again = Pair(alone.identity, pair.tenancy, alone.identity_settings, alone.tenancy_settings)
        await caught_up(again, seconds=90)

    assert sorted(await rows(alone.tenancy_url, REMOVED)) == sorted(world.memberships)
    assert sorted(await rows(alone.tenancy_url, TOLD)) == sorted(world.memberships)
    left = await rows(alone.tenancy_url, "SELECT organization_id, user_id, role FROM organization_members")
    assert sorted(left) == sorted((place, admin, "OWNER") for place, admin in world.admins.items())
    lost = set(world.places) - world.admins.keys()
    successions = await rows(alone.tenancy_url, SUCCESSIONS)
    assert sorted(successions) == sorted(
        [("OWNER_SUCCEEDED", place) for place in world.admins] + [("OWNER_LOST", place) for place in lost]
    )
    assert {place for (place,) in await rows(alone.tenancy_url, OWNERLESS)} == lost
    assert await rows(alone.tenancy_url, "SELECT 1 FROM set_aside_events") == []
