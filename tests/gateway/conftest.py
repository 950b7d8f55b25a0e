"""One gateway for the tests that need no settings of their own."""

from collections.abc import AsyncIterator

import pytest

from tenantry.testing.pair import Pair
from tests.gateway.gateways import Gateway, running_gateway

ALLOWED_ORIGIN = "https://app.example.com"


@pytest.fixture(scope="session")
async def gateway(pair: Pair) -> AsyncIterator[Gateway]:
    async with running_gateway(pair, GATEWAY_ORIGINS=ALLOWED_ORIGIN) as running:
        yield running
