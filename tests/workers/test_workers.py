"""Workers of identity as processes, behind one port: killed, replaced, refused, drained."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from benchmarks.reads import reading
from protos.identity.v1.sessions_pb2 import CreateSessionRequest, ValidateSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from tenantry.testing.group import Group, environment_of, serving
from tenantry.testing.pair import TENANCY_KEY, Pair
from tenantry.testing.people import People
from tests.calls import read as read_error
from tests.command_line.launched import all_gone

READS = 4_000
AS_TENANCY = (("x-service-key", TENANCY_KEY),)
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")


@pytest.fixture(scope="module")
def group(pair: Pair) -> Iterator[Group]:
    with serving("identity", environment_of(pair.identity_settings)) as found:
        yield found


async def read_over_each(group: Group, token: str, times: int) -> None:
    for address in group.own_addresses:
        async with grpc.aio.insecure_channel(address) as channel:
            for _ in range(times):
                await SessionServiceStub(channel).ValidateSession(
                    ValidateSessionRequest(token=token), metadata=AS_TENANCY
                )


async def counted(group: Group) -> float:
    """ValidateSession that went well, as Prometheus reads it."""

    def read() -> str:
        with urlopen(f"http://{group.metrics_address}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    name = r'^tenantry_call_seconds_count\{code="OK",method="identity.v1.SessionService/ValidateSession"\} (\S+)$'
    found = re.search(name, await asyncio.to_thread(read), re.MULTILINE)
    return float(found[1]) if found else 0


async def test_each_worker_serves_at_an_address_of_its_own_and_logs_its_number(group: Group) -> None:
    for address in group.own_addresses:
        async with grpc.aio.insecure_channel(address) as channel:
            health: Any = HealthStub(channel)
            answer = await health.Check(HealthCheckRequest())
        assert answer.status == HealthCheckResponse.SERVING
    listening = {entry["worker"]: entry["address"] for entry in group.told("listening")}
    assert listening == {n: f"{group.address}, {own}" for n, own in enumerate(group.own_addresses, 1)}


@ON_LINUX
def test_the_supervisor_knows_nothing_of_grpc_and_the_workers_do(group: Group) -> None:
    assert "cygrpc" not in Path(f"/proc/{group.process.pid}/maps").read_text()
    assert "cygrpc" in Path(f"/proc/{group.pids()[1]}/maps").read_text()


async def test_what_workers_count_adds_up_and_outlives_them(group: Group, people: People) -> None:
    person = await people.person()
    await read_over_each(group, person.token, 3)
    before = await counted(group)
    await read_over_each(group, person.token, 20)
    assert await counted(group) == before + 20 * len(group.own_addresses)
    ready = len(group.told("worker ready"))
    os.kill(group.pids()[1], signal.SIGKILL)
    await asyncio.to_thread(group.until, "worker ready", ready + 1)
    assert await counted(group) == before + 20 * len(group.own_addresses)


async def test_a_worker_that_is_killed_is_followed_and_no_read_fails(group: Group, people: People) -> None:
    person, ready, old = await people.person(), len(group.told("worker ready")), group.pids()
    async with reading(group.address, person.token, person.user_id, TENANCY_KEY, in_flight=1) as readers:
        os.kill(old[2], signal.SIGKILL)
        await asyncio.to_thread(group.until, "worker ready", ready + 1)
        await readers.until(READS // 2)
    assert readers.failures == {}
    assert group.pids()[1] == old[1]
    assert group.pids()[2] != old[2]


async def test_replacing_all_workers_fails_no_read(group: Group, people: People) -> None:
    """benchmarks/rolling.py does it with 20,000."""
    person, old = await people.person(), group.pids()
    async with reading(group.address, person.token, person.user_id, TENANCY_KEY, in_flight=1) as readers:
        group.process.send_signal(signal.SIGHUP)
        await asyncio.to_thread(group.until, "replaced")
        await readers.until(READS)
    assert readers.failures == {}
    assert not set(group.pids().values()) & set(old.values())
    assert len(group.told("worker started")) == len(group.told("worker ended")) + len(group.told("worker died")) + 2


@pytest.mark.parametrize("arguments", [["--workers", "1"], []], ids=["workers", "a single server"])
def test_a_second_start_on_the_same_port_is_refused(group: Group, pair: Pair, arguments: list[str]) -> None:
    done = start(pair, group.address, arguments)
    assert done.returncode == (3 if arguments else 1)
    assert f"cannot listen on {group.address}" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", [socket.SO_REUSEADDR, socket.SO_REUSEPORT], ids=["plain", "would share it"])
def test_a_port_that_another_program_holds_is_refused_in_one_line(pair: Pair, option: int) -> None:
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, option, 1)
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        address = f"127.0.0.1:{stranger.getsockname()[1]}"
        done = start(pair, address, ["--workers", "1"])
    whose = f" by another program (pid {os.getpid()}, " if sys.platform == "linux" else ""
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: cannot listen on {address}: Address already in use{whose}")
    assert len(done.stderr.splitlines()) == 1


def test_an_address_without_a_port_is_refused(pair: Pair) -> None:
    done = start(pair, "127.0.0.1:0", ["--workers", "1"])
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "error: workers need a host and a port in LISTEN_ADDRESS",
    )
    done = start(pair, "127.0.0.1:65500", ["--workers", "1"])
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: there are not enough ports for these workers")


def test_a_worker_without_its_database_does_not_listen_and_can_be_ended(pair: Pair) -> None:
    nowhere = {"DATABASE_URL": "postgresql://identity@127.0.0.1:1/identity"}
    environment = environment_of(pair.identity_settings) | nowhere
    with serving("identity", environment, workers=1, wait=False) as group:
        while "error connecting" not in group.log.read_text():
            group.until("worker started")
        host, port = group.own_addresses[0].split(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)))
        assert group.end() == 0
        assert [entry["status"] for entry in group.told("worker ended")] == [0]


def start(pair: Pair, address: str, arguments: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tenantry", "serve", "identity", *arguments],
        env={**os.environ, **environment_of(pair.identity_settings), "LISTEN_ADDRESS": address},
        capture_output=True,
        text=True,
        timeout=60,
    )


async def test_calls_in_flight_are_answered_before_a_worker_ends(pair: Pair, people: People) -> None:
    """Hashing takes its time, one after the other."""
    everybody = await people.persons(6, "ada", "tulip-orbit-canyon-93-maple")
    requests = [CreateSessionRequest(email=ada.email, password="maple-orbit-canyon-93-tulip") for ada in everybody]
    with serving("identity", environment_of(pair.identity_settings), workers=1) as group:
        async with grpc.aio.insecure_channel(group.address) as channel:
            calls = [asyncio.create_task(refusal(channel, request)) for request in requests]
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            assert not all(call.done() for call in calls)
            assert await asyncio.to_thread(group.end) == 0
            assert set(await asyncio.gather(*calls)) == {"SIGN_IN_FAILED"}
        assert all_gone(group.pids())
        assert group.told()[-1]["event"] == "stopped"


async def refusal(channel: grpc.aio.Channel, request: CreateSessionRequest) -> str:
    """The reason; nothing if it was refused without one."""
    try:
        await SessionServiceStub(channel).CreateSession(request)
    except grpc.aio.AioRpcError as error:
        return read_error(error).reason
    return "none"


@ON_LINUX
def test_workers_end_with_a_supervisor_that_is_killed(pair: Pair) -> None:
    with serving("identity", environment_of(pair.identity_settings), workers=1) as found:
        found.process.kill()
        found.process.wait()
        assert all_gone(found.pids())
        assert found.told("draining")
