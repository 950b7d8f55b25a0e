"""200 people sign in at once, from a process of their own, beside steady validations: what these notice of it.

Who is refused waits as RetryInfo says and tries again, until everybody is in. Two more figures tell Tenantry's share
from the machine's: what validations notice of as many cores hashing in a process that is a stranger to Tenantry, and
what sign-ins cost the thread of identity's event loop.

`python -m benchmarks.sign_in_load`.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import threading
import time
from collections import Counter

import grpc
import uvloop
from argon2 import PasswordHasher
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status

from benchmarks.identity import Identity, identity, new_source, sign_in, told, via
from benchmarks.world import loop_cpu
from identity_service import passwords
from protos.identity.v1.sessions_pb2 import ValidateSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from tenantry.testing.people import AS_OPERATOR

PROGRAM = [sys.executable, "-m", "benchmarks.sign_in_load"]
AT_ONCE = 200
QUIET = 3.0  # seconds before each burst
EVERY = 0.02  # seconds from one validation to the next, whatever happened to the one before


async def load(address: str, emails: list[str]) -> None:
    """The other process: a burst for each line on stdin, what became of it on stdout."""
    if sys.platform == "linux":  # real callers have machines of their own
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    async with grpc.aio.insecure_channel(address) as channel:
        stub = SessionServiceStub(channel)
        await channel.channel_ready()
        print("ready", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            answers = Counter[str]()
            await asyncio.gather(*[signed_in(stub, email, answers) for email in emails])
            print(json.dumps(answers), flush=True)


def hash_on() -> None:
    """A stranger that hashes as much at a time as identity does, and as politely, until it is ended."""
    os.nice(passwords.NICENESS)
    hasher = PasswordHasher(passwords.TIME, passwords.MEMORY, passwords.PARALLELISM)

    def one_after_another() -> None:
        while True:
            hasher.hash("")

    for _ in range(passwords.TURNS):
        threading.Thread(target=one_after_another).start()


async def signed_in(stub: SessionServiceStub, email: str, answers: Counter[str]) -> None:
    while True:
        try:
            await stub.CreateSession(sign_in(email), metadata=via(new_source()))
        except grpc.aio.AioRpcError as error:
            answers[told(error)] += 1
            await asyncio.sleep(retry_after(error))
        else:
            answers["signed in"] += 1
            return


def retry_after(error: grpc.aio.AioRpcError) -> float:
    """Seconds, of its RetryInfo; a refusal without one is a fault of ours and ends the run."""
    status, retry = rpc_status.from_call(error), RetryInfo()  # type: ignore[arg-type]
    assert status is not None
    assert any(detail.Unpack(retry) for detail in status.details), status
    return float(retry.retry_delay.ToMilliseconds() / 1000)


async def measure(found: Identity, emails: list[str], bursts: int) -> None:
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(*PROGRAM, "--address", found.address, stdin=pipe, stdout=pipe)
    assert other.stdin is not None
    assert other.stdout is not None
    other.stdin.write(json.dumps(emails).encode() + b"\n")
    await other.stdout.readline()
    quiet: list[float] = []
    beside: list[float] = []
    during: list[float] = []
    took: list[float] = []
    loop_quiet = loop_during = 0.0  # seconds of processor time
    told_by_all = Counter[str]()
    async with grpc.aio.insecure_channel(found.address) as channel:
        stub = SessionServiceStub(channel)
        token = (await stub.CreateSession(sign_in(emails[0]), metadata=via(new_source()))).token
        await asyncio.gather(*[validate(stub, token, []) for _ in range(200)])
        for _ in range(bursts):
            # Without the seconds after a burst, in which it still echoes.
            await validate_until(stub, token, [], asyncio.create_task(asyncio.sleep(1)))
            before = loop_cpu(found.pid)
            await validate_until(stub, token, quiet, asyncio.create_task(asyncio.sleep(QUIET)))
            loop_quiet += loop_cpu(found.pid) - before
            stranger = await asyncio.create_subprocess_exec(*PROGRAM, "--hash")
            await asyncio.sleep(0.5)
            await validate_until(stub, token, beside, asyncio.create_task(asyncio.sleep(QUIET)))
            stranger.kill()
            await stranger.wait()
            before, start = loop_cpu(found.pid), time.perf_counter()
            other.stdin.write(b"go\n")
            line = asyncio.create_task(other.stdout.readline())
            await validate_until(stub, token, during, line)
            took.append(time.perf_counter() - start)
            loop_during += loop_cpu(found.pid) - before
            told_by_all.update(json.loads(line.result()))
    other.stdin.close()
    await other.wait()
    show("quiet", quiet)
    show("beside a stranger", beside)
    show("during", during)
    print(f"p99 during / quiet: {p99(during) / p99(quiet):.2f}; all were in after {statistics.median(took):.2f} s")
    print(f"p99 during / beside a stranger that hashes: {p99(during) / p99(beside):.2f}")
    validation = loop_quiet / len(quiet)
    sign_ins = (loop_during - validation * len(during)) / told_by_all["signed in"]
    print(f"CPU of the event loop: {sign_ins * 1000:.2f} ms for each sign-in with its refusals,", end=" ")
    print(f"{validation * 1000:.2f} ms for each validation")
    for what, count in told_by_all.most_common():
        print(f"  {count / bursts:6.1f} times for {AT_ONCE} people: {what}")


async def validate_until(
    stub: SessionServiceStub, token: str, latencies: list[float], end: "asyncio.Task[object]"
) -> None:
    calls = []
    due = time.perf_counter()
    while not end.done():
        calls.append(asyncio.create_task(validate(stub, token, latencies)))
        due += EVERY
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    await asyncio.gather(*calls)


async def validate(stub: SessionServiceStub, token: str, latencies: list[float]) -> None:
    start = time.perf_counter()
    await stub.ValidateSession(ValidateSessionRequest(token=token), metadata=AS_OPERATOR)
    latencies.append((time.perf_counter() - start) * 1000)


def p99(latencies: list[float]) -> float:
    return statistics.quantiles(latencies, n=100)[98]


def show(name: str, latencies: list[float]) -> None:
    middle = statistics.median(latencies)
    print(f"{name:18}{len(latencies):6} validations: p50 {middle:.2f} ms, p99 {p99(latencies):.2f} ms")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--bursts", type=int, default=10)
    arguments.add_argument("--address", help="be the process that signs in")
    arguments.add_argument("--hash", action="store_true", help="be the stranger")
    chosen = arguments.parse_args()
    if chosen.hash:
        hash_on()
        return
    if chosen.address:
        uvloop.run(load(chosen.address, json.loads(sys.stdin.readline())))
        return
    with identity() as found:
        uvloop.run(measure(found, found.accounts(AT_ONCE), chosen.bursts))


if __name__ == "__main__":
    main()
