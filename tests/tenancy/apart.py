"""An identity of its own, and a tenancy that the test starts and stops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from identity_service.settings import Settings as IdentitySettings
from tenancy_service.settings import Settings as TenancySettings
from tenantry.testing.databases import Databases
from tenantry.testing.pair import (
    Pair,
    Service,
    identity_settings,
    running_identity,
    running_tenancy,
    tenancy_settings,
)


@dataclass
class Apart:
    """What is in the databases stays when tenancy stops."""

    identity: Service
    identity_settings: IdentitySettings
    tenancy_settings: TenancySettings

    @property
    def tenancy_url(self) -> str:
        return self.tenancy_settings.database_url.get_secret_value()

    @asynccontextmanager
    async def tenancy(self, identity_address: str = "") -> AsyncIterator[Pair]:
        address = identity_address or self.identity.address
        settings = self.tenancy_settings.model_copy(update={"identity_address": address})
        async with running_tenancy(settings) as tenancy:
            yield Pair(self.identity, tenancy, self.identity_settings, settings)


@asynccontextmanager
async def apart(databases: Databases) -> AsyncIterator[Apart]:
    settings = identity_settings(databases.service_url("identity", databases.copy("identity")))
    async with running_identity(settings) as identity:
        url = databases.service_url("tenancy", databases.copy("tenancy"))
        yield Apart(identity, settings, tenancy_settings(url, identity.address))
