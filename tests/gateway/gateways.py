"""A real Envoy in front of a pair."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import httpx

from tenantry.gateway import envoy
from tenantry.gateway.settings import GatewaySettings
from tenantry.ports import free_port
from tenantry.testing.pair import Pair


@dataclass
class Gateway:
    """`http` sends to it; `log` is what Envoy has written, the access log too."""

    url: str
    address: str
    settings: GatewaySettings
    http: httpx.AsyncClient
    channel: grpc.aio.Channel
    log: Path

    async def call(self, method: str, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        """With the token as a bearer's; `options` are httpx's."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await self.http.request(method, path, headers=headers | options.pop("headers", {}), **options)

    async def logged(self, text: str) -> str:
        """All of the log, once this text is in it; Envoy writes once a second."""
        for _ in range(300):
            if text in (log := self.log.read_text()):
                return log
            await asyncio.sleep(0.05)
        raise AssertionError(f"{text} is not in the log")


@asynccontextmanager
async def running_gateway(pair: Pair, **settings: object) -> AsyncIterator[Gateway]:
    """On a free port; `settings` by their environment's names."""
    values = {
        "GATEWAY_ADDRESS": f"127.0.0.1:{free_port()}",
        "IDENTITY_ADDRESSES": pair.identity.address,
        "TENANCY_ADDRESSES": pair.tenancy.address,
        "GATEWAY_THREADS": 1,
    }
    chosen = GatewaySettings.model_validate(values | settings)
    # A short name: a socket's path has 107 characters at most.
    with TemporaryDirectory(prefix=f"gw-{secrets.token_hex(2)}") as folder:
        log = Path(folder) / "gateway.log"
        process = envoy.start(chosen, Path(folder), log)
        try:
            # Beside the loop, in which the pair answers Envoy's questions about its health.
            ready = await asyncio.to_thread(envoy.wait_until_ready, process, chosen)
            assert ready, log.read_text()
            address = str(chosen.address)
            async with (
                httpx.AsyncClient(base_url=chosen.url, timeout=10, verify=chosen.certificate is None) as http,
                grpc.aio.insecure_channel(address) as channel,
            ):
                yield Gateway(chosen.url, address, chosen, http, channel, log)
        finally:
            process.terminate()
            process.wait()
