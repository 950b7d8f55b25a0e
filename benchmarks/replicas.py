"""What a streaming replica would answer, and what a failover does: `python -m benchmarks.replicas`.

A primary and a replica of it, both embedded PostgreSQLs: how late a revoked session is gone on the replica, what a
replica that lags says of it, and how a running identity follows when the replica takes the primary's place.
"""

import argparse
import asyncio
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import psycopg
import uvloop
from uuid_utils.compat import uuid7

from benchmarks.identity import serving
from benchmarks.world import SECRET
from identity_service import tokens
from identity_service.queries.validation import VALID_SESSIONS
from protos.identity.v1.sessions_pb2 import RevokeSessionRequest, ValidateSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from tenantry import embedded_postgres, postgres_place
from tenantry.database_urls import SERVICES, owner_url
from tenantry.embedded_postgres import EmbeddedPostgres
from tenantry.migrate import migrate
from tenantry.provision import provision
from tenantry.testing.databases import PASSWORDS
from tenantry.testing.people import AS_OPERATOR, INSERT_SESSION, INSERT_USER

PASSWORD = "measured"
NOT_SHOWN = Path("/dev/null")  # what it logs of a database that is away
WRITERS = 4
DELAY = 3  # seconds that the replica is told to stay behind
Connection = psycopg.Connection[tuple[Any, ...]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--probes", type=int, default=300)
    arguments.add_argument("--failovers", type=int, default=3)
    chosen = arguments.parse_args()
    with primary_and_replica() as (primary, replica):
        uvloop.run(show_lag(primary, replica, chosen.probes))
    print("\n| failover | down before | first right answer after the promotion | answers meanwhile | wrong answers |")
    print("|---|---|---|---|---|")
    for number in range(chosen.failovers):
        with primary_and_replica() as (primary, replica):
            uvloop.run(show_failover(primary, replica, number + 1))


@contextmanager
def primary_and_replica() -> Iterator[tuple[EmbeddedPostgres, EmbeddedPostgres]]:
    with tempfile.TemporaryDirectory(prefix="tenantry-replicas-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # root's PostgreSQL runs as another user
        running = [embedded_postgres.start(folder / "primary", PASSWORD, log=folder / "primary.log")]
        try:
            [primary] = running
            provision(primary.url(), PASSWORDS)
            for service in SERVICES:
                migrate(service, owner_url(primary.url(), service, PASSWORDS))
            place = postgres_place.choose(folder / "replica")
            command = [str(place.programs / "pg_basebackup"), "-d", primary.url(), "-D", str(place.data), "-c", "fast"]
            subprocess.run([*command, "-R", "-X", "stream"], check=True, **place.run_as())
            running.append(embedded_postgres.start(folder / "replica", PASSWORD, log=folder / "replica.log"))
            yield primary, running[1]
        finally:
            for postgres in reversed(running):
                postgres.stop()


async def show_lag(primary: EmbeddedPostgres, replica: EmbeddedPostgres, probes: int) -> None:
    with connected(primary) as writing, connected(replica) as reading:
        print(
            "\n| a revoked session is gone on the replica after | median ms | p99 ms | slowest ms |\n|---|---|---|---|"
        )
        show_row("nothing else is written", [lag(writing, reading) for _ in range(probes)])
        with writers(primary) as count:
            begin, before = time.monotonic(), count()
            lags = [lag(writing, reading) for _ in range(probes)]
            rate = (count() - before) / (time.monotonic() - begin)
        show_row(f"{WRITERS} connections write, {rate:,.0f} commits/s", lags)
        reading.execute(f"ALTER SYSTEM SET recovery_min_apply_delay = '{DELAY}s'")
        reading.execute("SELECT pg_reload_conf()")
        await asyncio.sleep(1)
        await show_stale(primary, writing, reading)


def show_row(name: str, lags: list[float]) -> None:
    ordered = sorted(each * 1000 for each in lags)
    p99 = ordered[int(len(ordered) * 0.99)]
    print(f"| {name} | {statistics.median(ordered):.1f} | {p99:.1f} | {ordered[-1]:.1f} |", flush=True)


def lag(writing: Connection, reading: Connection) -> float:
    """From the commit on the primary until the statement of ValidateSession finds nothing on the replica, in s."""
    sid, _, _ = new_session(writing)
    wait_until(reading, sid, is_there=True)
    writing.execute("DELETE FROM session WHERE sid = %s", [sid])
    begin = time.monotonic()
    wait_until(reading, sid, is_there=False)
    return time.monotonic() - begin


@contextmanager
def writers(primary: EmbeddedPostgres) -> Iterator[Any]:
    """Small transactions, one after the other on each connection; how many so far."""
    ended, counts = threading.Event(), [0] * WRITERS

    def write(number: int) -> None:
        with connected(primary) as connection:
            while not ended.is_set():
                new_session(connection)
                counts[number] += 2

    threads = [threading.Thread(target=write, args=[number]) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: sum(counts)
    finally:
        ended.set()
        for thread in threads:
            thread.join()


async def show_stale(primary: EmbeddedPostgres, writing: Connection, reading: Connection) -> None:
    """A session is revoked over RPC; who says what, and when."""
    sid, session_id, user_id = new_session(writing)
    wait_until(reading, sid, is_there=True)
    url = f"postgresql://identity:{PASSWORDS['identity'].service}@127.0.0.1:{primary.port}/identity"
    with serving(url, log=NOT_SHOWN) as identity:
        async with grpc.aio.insecure_channel(identity.address) as channel:
            stub = SessionServiceStub(channel)
            revoke = RevokeSessionRequest(session_id=session_id, user_id=user_id)
            await stub.RevokeSession(revoke, metadata=AS_OPERATOR)
            begin = time.monotonic()
            said = await answer(stub, sid)
            print(f"\nThe replica is told to stay {DELAY} s behind. Right after RevokeSession has answered:")
            print(f"- ValidateSession, which reads the primary: {said}")
            print(f"- its statement on the replica: {'valid' if is_valid(reading, sid) else 'not valid'}", end="")
    wait_until(reading, sid, is_there=False)
    print(f", until {time.monotonic() - begin:.1f} s later")


async def show_failover(primary: EmbeddedPostgres, replica: EmbeddedPostgres, number: int) -> None:
    """The primary dies, is missed for a second, the replica is promoted; identity runs on throughout."""
    with connected(primary) as writing:
        sid, session_id, user_id = new_session(writing)
    hosts = f"host=127.0.0.1,127.0.0.1&port={primary.port},{replica.port}"
    url = f"postgresql://identity:{PASSWORDS['identity'].service}@/identity?{hosts}"
    with serving(url, log=NOT_SHOWN) as identity:
        async with grpc.aio.insecure_channel(identity.address) as channel:
            stub = SessionServiceStub(channel)
            if await answer(stub, sid) != "valid":
                raise SystemExit("not ready")
            primary.process.send_signal(signal.SIGQUIT)
            primary.process.wait()
            down, answers = time.monotonic(), Counter[str]()
            while time.monotonic() < down + 1:
                answers[await answer(stub, sid)] += 1
            with connected(replica) as promoting:
                promoting.execute("SELECT pg_promote()")
            promoted = time.monotonic()
            while (said := await answer(stub, sid)) != "valid":
                answers[said] += 1
                if time.monotonic() > promoted + 60:
                    raise SystemExit("never followed")
            wrong = sum(count for said, count in answers.items() if said not in ("UNAVAILABLE", "valid"))
            took = (time.monotonic() - promoted) * 1000
            told = ", ".join(f"{count} {said}" for said, count in answers.most_common())
            print(f"| {number} | {promoted - down:.1f} s | {took:.0f} ms | {told} | {wrong} |", flush=True)
            # What writes has a pool of its own.
            revoke = RevokeSessionRequest(session_id=session_id, user_id=user_id)
            await stub.RevokeSession(revoke, metadata=AS_OPERATOR)
            with connected(replica) as now_primary:
                if is_valid(now_primary, sid) or await answer(stub, sid) != "UNAUTHENTICATED":
                    raise SystemExit("the session is still there")


async def answer(stub: SessionServiceStub, sid: str) -> str:
    request = ValidateSessionRequest(token=tokens.sign(sid, SECRET.encode()))
    try:
        await stub.ValidateSession(request, metadata=AS_OPERATOR, timeout=5)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "valid"


def connected(postgres: EmbeddedPostgres) -> Connection:
    return psycopg.connect(postgres.url("identity"), autocommit=True)


def new_session(connection: Connection) -> tuple[str, str, str]:
    """Of a new user: the sid, the public id, and the user's."""
    user_id, sid = uuid7(), tokens.make_sid()
    connection.execute(INSERT_USER, (user_id, user_id.hex, user_id.hex, "", None))
    sess = f'{{"cookie": {{"originalMaxAge": 3600000}}, "userId": "{user_id}"}}'
    row = connection.execute(INSERT_SESSION, (sid, sess)).fetchone()
    assert row is not None
    return sid, str(row[0]), str(user_id)


def wait_until(connection: Connection, sid: str, *, is_there: bool) -> None:
    while is_valid(connection, sid) != is_there:
        pass


def is_valid(connection: Connection, sid: str) -> bool:
    return psycopg.RawCursor(connection).execute(VALID_SESSIONS, ("1 day", sid)).fetchone() is not None


if __name__ == "__main__":
    main()
