"""One PostgreSQL and one pair of services for the whole run; tests are apart because each has its own people."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import grpc
import psycopg
import pytest
import uvloop
from hypothesis import HealthCheck, settings

from shared.log import set_up_logging
from tenantry.testing.databases import Databases
from tenantry.testing.databases import databases as running_databases
from tenantry.testing.pair import Pair, running_pair
from tenantry.testing.people import People
from tests.canaries import Canaries
from tests.told import none_in_logs, none_in_tables

# Runs and steps of the model of tenancy: few in every run of the suite, many with HYPOTHESIS_PROFILE=full.
SLOW = settings(
    deadline=timedelta(seconds=30), database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("quick", SLOW, max_examples=12, stateful_step_count=30)
settings.register_profile("full", SLOW, max_examples=200, stateful_step_count=50)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], Any]]:
    return {"uvloop": uvloop.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks at everything that the suite has left behind comes last."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(scope="session", autouse=True)
def canaries() -> Canaries:
    """Logs go to a file that is searched in the end; warnings to the terminal too."""
    set_up_logging("tests", "INFO")
    found = Canaries()
    found.listen()
    return found


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    with running_databases() as found:
        yield found


@pytest.fixture(scope="session")
async def pair(databases: Databases, canaries: Canaries) -> AsyncIterator[Pair]:
    """In the end, in each process that ran a part of the suite: no secret stands where it must not."""
    async with running_pair(databases) as running:
        yield running
        none_in_logs(canaries)
        for service in (running.identity, running.tenancy):
            await none_in_tables(service.database_url, canaries)


@pytest.fixture(scope="session")
def people(pair: Pair) -> People:
    return People(pair)


@pytest.fixture(scope="session")
def identity(pair: Pair) -> grpc.aio.Channel:
    return pair.identity.channel


@pytest.fixture(scope="session")
def tenancy(pair: Pair) -> grpc.aio.Channel:
    return pair.tenancy.channel


@pytest.fixture
async def nobody_throttled(pair: Pair) -> AsyncIterator[None]:
    """All tests call from one address; what those before have used up is forgotten, and what this one does."""
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url, autocommit=True) as connection:
        await connection.execute("DELETE FROM login_throttle")
        yield
        await connection.execute("DELETE FROM login_throttle")
