"""shared/server.py, listeners.py and channel.py: the promised limits, health, ports, a database that comes later."""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub
from pydantic import SecretStr

from protos.identity.v1.sessions_pb2 import CreateSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared import channel, listeners, server
from shared.access_rules import INFRASTRUCTURE
from shared.authentication import Authentication
from shared.guard import Guard
from shared.reasons import Reason
from shared.settings import CommonSettings
from tenantry.testing.pair import Pair, running_identity, running_tenancy
from tests.calls import fails
from tests.proxy import Proxy
from tests.shared.all_kinds import find_person

SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


def test_the_servers_limits_are_those_that_were_decided() -> None:
    assert listeners.OPTIONS["grpc.max_receive_message_length"] == 256 * 1024
    assert listeners.OPTIONS["grpc.max_metadata_size"] == 8192
    assert listeners.OPTIONS["grpc.server_handshake_timeout_ms"] == 5_000
    assert listeners.OPTIONS["grpc.max_connection_idle_ms"] == 300_000
    assert CommonSettings.model_fields["connection_age_seconds"].default == 60
    assert listeners.SHARED["grpc.max_allowed_incoming_connections"] == 10_000
    assert listeners.OPTIONS["grpc.max_concurrent_streams"] == 100
    assert listeners.SHARED["grpc.server.max_pending_requests"] == 960
    assert listeners.SHARED["grpc.server.max_pending_requests_hard_limit"] == 1280
    assert listeners.LISTENERS == 8
    assert listeners.OPTIONS["grpc.http2.min_ping_interval_without_data_ms"] == 5_000


def test_the_clients_limits_are_those_that_were_decided() -> None:
    assert channel.KEEPALIVE["grpc.keepalive_time_ms"] == 10_000
    assert channel.KEEPALIVE["grpc.keepalive_timeout_ms"] == 2_000
    assert channel.KEEPALIVE["grpc.http2.ping_timeout_ms"] == 2_000
    assert channel.KEEPALIVE["grpc.initial_reconnect_backoff_ms"] == 100
    assert channel.KEEPALIVE["grpc.min_reconnect_backoff_ms"] == 2_000
    assert channel.KEEPALIVE["grpc.max_reconnect_backoff_ms"] == 1_000
    assert channel.RETRY["maxAttempts"] == 5
    assert channel.RETRY["retryableStatusCodes"] == ["UNAVAILABLE", "CANCELLED"]


async def until_serving(health: Any, name: str = "") -> None:
    watch = health.Watch(HealthCheckRequest(service=name))
    async with asyncio.timeout(10):
        while (await watch.read()).status != SERVING:
            pass
    watch.cancel()


@pytest.mark.parametrize("name", ["", "identity.v1.UserService", "identity.v1.SessionService"])
async def test_health_is_told_for_the_server_and_each_of_its_services(pair: Pair, name: str) -> None:
    await until_serving(HealthStub(pair.identity.channel), name)


async def test_health_can_be_watched_and_an_unknown_service_has_none(pair: Pair) -> None:
    health: Any = HealthStub(pair.tenancy.channel)
    await until_serving(health, "tenancy.v1.AccessService")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health.Check(HealthCheckRequest(service="nothing"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_readiness_that_cannot_be_told_is_asked_again() -> None:
    looks = 0

    async def is_ready() -> bool:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise RuntimeError("out of memory")
        return looks > 2

    authentication = Authentication(find_person, {}, "connect.sid")
    tried = server.Server(Guard(INFRASTRUCTURE, authentication), [], lambda _: None, is_ready=is_ready, reflect=False)
    port = await tried.start("127.0.0.1:0")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as found:
        await until_serving(HealthStub(found))
    await tried.stop(0)


async def test_a_stopped_server_looks_no_more_even_if_its_look_swallows_the_cancellation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "LAST_LOOK", 0.05)
    looking = asyncio.Event()

    async def is_ready() -> bool:
        looking.set()
        with suppress(asyncio.CancelledError):  # as wait_for() of Python 3.11 does, when the answer comes with it
            await asyncio.sleep(10)
        return True

    authentication = Authentication(find_person, {}, "connect.sid")
    tried = server.Server(Guard(INFRASTRUCTURE, authentication), [], lambda _: None, is_ready=is_ready, reflect=False)
    await tried.start("127.0.0.1:0")
    await looking.wait()
    await tried.stop(0)
    assert tried._watching is not None
    done, _ = await asyncio.wait({tried._watching}, timeout=2)
    tried._watching.cancel()
    assert done


@pytest.mark.parametrize("reflect", [True, False])
async def test_reflection_is_a_switch(pair: Pair, reflect: bool) -> None:
    settings = pair.tenancy_settings.model_copy(update={"reflection": reflect})
    async with running_tenancy(settings) as tenancy:
        stub: Any = ServerReflectionStub
        call = stub(tenancy.channel).ServerReflectionInfo()
        await call.write(ServerReflectionRequest(list_services=""))
        if reflect:
            listed = (await call.read()).list_services_response.service
            assert "tenancy.v1.AccessService" in [service.name for service in listed]
            call.cancel()
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_port_that_is_taken_is_refused_loudly(pair: Pair) -> None:
    """By default gRPC shares it silently, and a stranger gets half of the calls."""
    async with running_identity(pair.identity_settings) as one:
        with pytest.raises(RuntimeError, match="bind"):
            await server.Server.start(one.server, pair.identity.address)


async def test_a_database_that_comes_later_is_waited_for(pair: Pair) -> None:
    url = pair.identity.database_url
    place = url.rpartition("@")[2].partition("/")[0]
    async with Proxy("127.0.0.1:1") as proxy:
        settings = pair.identity_settings.model_copy(
            update={"database_url": SecretStr(url.replace(place, proxy.address))}
        )
        async with running_identity(settings) as identity:
            health: Any = HealthStub(identity.channel)
            assert (await health.Check(HealthCheckRequest())).status == NOT_SERVING
            request = CreateSessionRequest(email="ada@example.com", password="tulip-orbit-canyon-93-maple")
            async with fails(Reason.DATABASE_UNAVAILABLE):
                await SessionServiceStub(identity.channel).CreateSession(request)
            proxy.target = place
            await until_serving(health)
            async with fails(Reason.SIGN_IN_FAILED):
                await SessionServiceStub(identity.channel).CreateSession(request)
