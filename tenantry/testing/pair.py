"""Both services in this process, on real sockets and real databases."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import grpc
from pydantic import SecretStr

import identity_service.server
import tenancy_service.server
from identity_service.settings import Settings as IdentitySettings
from shared.mail.settings import MailSettings
from shared.server import Server
from shared.settings import CommonSettings
from tenancy_service.settings import Settings as TenancySettings
from tenantry.testing.databases import Databases

OPERATOR_KEY = f"operator.{secrets.token_hex(16)}"
TENANCY_KEY = f"tenancy.{secrets.token_hex(16)}"


AnySettings = TypeVar("AnySettings", bound=MailSettings)


def digest(service_key: str) -> bytes:
    return hashlib.sha256(service_key.partition(".")[2].encode()).digest()


@dataclass
class Service:
    """One running service as its callers see it, and its database as the service sees it."""

    address: str
    database_url: str
    server: Server
    channel: grpc.aio.Channel = field(init=False)

    def __post_init__(self) -> None:
        self.channel = grpc.aio.insecure_channel(self.address)


@dataclass
class Pair:
    identity: Service
    tenancy: Service
    identity_settings: IdentitySettings
    tenancy_settings: TenancySettings

    @property
    def session_secret(self) -> bytes:
        return self.identity_settings.secret_bytes[0]

    @property
    def mail_folder(self) -> Path:
        return self.identity_settings.mail_folder


def identity_settings(database_url: str, **changes: object) -> IdentitySettings:
    values: dict[str, object] = {
        "DATABASE_URL": database_url,
        "SESSION_SECRETS": secrets.token_urlsafe(48),
        "FACTOR_SECRETS": secrets.token_urlsafe(48),
        "SERVICE_KEYS": {"operator": digest(OPERATOR_KEY), "tenancy": digest(TENANCY_KEY)},
        "REFLECTION": True,
        "CONNECTION_AGE_SECONDS": 3600,  # one channel for a whole run
    }
    return IdentitySettings(**values | changes)  # type: ignore[arg-type]


def tenancy_settings(database_url: str, identity_address: str, **changes: object) -> TenancySettings:
    values: dict[str, object] = {
        "DATABASE_URL": database_url,
        "IDENTITY_ADDRESS": identity_address,
        "IDENTITY_SERVICE_KEY": SecretStr(TENANCY_KEY),
        "SERVICE_KEYS": {"operator": digest(OPERATOR_KEY)},
        "REFLECTION": True,
        "CONNECTION_AGE_SECONDS": 3600,  # one channel for a whole run
        # Tests share two cores with both services; what is measured here is not time.
        "IDENTITY_TIMEOUT_SECONDS": 5,
    }
    return TenancySettings(**values | changes)  # type: ignore[arg-type]


@asynccontextmanager
async def running_identity(settings: IdentitySettings) -> AsyncIterator[Service]:
    """Its mails go to a folder that ends with it, unless the settings name one."""
    with mails_kept_apart(settings) as settings:
        async with listening(identity_service.server.running(settings), settings) as service:
            yield service


@asynccontextmanager
async def running_tenancy(settings: TenancySettings) -> AsyncIterator[Service]:
    """Its mails as running_identity's."""
    with mails_kept_apart(settings) as settings:
        async with listening(tenancy_service.server.running(settings), settings) as service:
            yield service


@contextmanager
def mails_kept_apart(settings: AnySettings) -> Iterator[AnySettings]:
    with TemporaryDirectory(prefix="tenantry-mail-") as folder:
        is_named = "mail_folder" in settings.model_fields_set
        yield settings if is_named else settings.model_copy(update={"mail_folder": Path(folder)})


@asynccontextmanager
async def listening(running: AbstractAsyncContextManager[Server], settings: CommonSettings) -> AsyncIterator[Service]:
    """On a free port, whatever the settings say."""
    async with running as server:
        port = await server.start("127.0.0.1:0")
        service = Service(f"127.0.0.1:{port}", settings.database_url.get_secret_value(), server)
        try:
            yield service
        finally:
            await service.channel.close()
            await server.stop(0)


@asynccontextmanager
async def running_pair(
    databases: Databases,
    *,
    identity: dict[str, object] | None = None,
    tenancy: dict[str, object] | None = None,
) -> AsyncIterator[Pair]:
    """On databases of its own; `identity` and `tenancy` are settings by their environment's names."""
    async with AsyncExitStack() as stack:
        url = databases.service_url("identity", databases.copy("identity"))
        mails = stack.enter_context(TemporaryDirectory(prefix="tenantry-mail-"))
        for_identity = identity_settings(url, **{"MAIL_FOLDER": mails, **(identity or {})})
        one = await stack.enter_async_context(running_identity(for_identity))
        url = databases.service_url("tenancy", databases.copy("tenancy"))
        for_tenancy = tenancy_settings(url, one.address, **{"MAIL_FOLDER": mails, **(tenancy or {})})
        other = await stack.enter_async_context(running_tenancy(for_tenancy))
        yield Pair(one, other, for_identity, for_tenancy)
