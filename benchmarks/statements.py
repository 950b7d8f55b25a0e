"""What a check, a sign-in and a change ask of PostgreSQL: statements, rows, pages, processor time, bytes of WAL.

`python -m benchmarks.statements` prints tables in Markdown, for docs/scaling.md; see its flags.
"""

import argparse
import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import psycopg
import uvloop

from benchmarks import table_sizes, write_costs
from benchmarks.table_sizes import IDENTITY, TENANCY, Connection, sid_of
from benchmarks.world import start, wait_for
from identity_service import tokens
from identity_service.queries.validation import list_owners
from protos.tenancy.v1.access_pb2 import CheckAccessRequest, CheckAccessResponse
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from shared.database import Database
from shared.log import set_up_logging
from tenancy_service.queries.access import Place, roles_in_places
from tenantry.database_urls import SERVICES
from tenantry.ports import free_port
from tenantry.testing.databases import Databases, databases
from tenantry.testing.pair import TENANCY_KEY, digest

BATCHES = (1, 4, 16, 64, 128, 400)
IN_FLIGHT = (1, 8, 32, 128)
PEOPLE = 1000
TICK = os.sysconf("SC_CLK_TCK")
COUNTED = """
SELECT sum(calls)::float8, sum(rows)::float8, sum(shared_blks_hit + shared_blks_read)::float8,
       sum(total_exec_time)::float8 * 1000
  FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = %s)"""


# As it is deployed: it waits for the disk, and writes whole pages to the WAL after a checkpoint.
SETTINGS = {"max_connections": "200", "max_wal_size": "8GB", "shared_buffers": "1GB", "autovacuum": "off"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=100_000, help="of each table, a tenth of it organizations")
    arguments.add_argument("--seconds", type=float, default=3)
    chosen = arguments.parse_args()
    set_up_logging("statements", "WARNING")
    with databases(SETTINGS) as found, psycopg.connect(found.postgres.url(), autocommit=True) as admin:
        admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        print(f"{chosen.rows:,} rows in each table, {chosen.rows // table_sizes.IN_ORGANIZATION:,} organizations")
        for service, statements in (("identity", IDENTITY), ("tenancy", TENANCY)):
            with psycopg.connect(found.postgres.url(service), autocommit=True) as connection:
                table_sizes.fill(connection, statements, chosen.rows)
                table_sizes.show(connection, service, chosen.rows)
        people = read_people(found)
        uvloop.run(show_batches(found, admin, people, chosen.seconds))
        uvloop.run(show_checks(found, admin, people, chosen.seconds))
        uvloop.run(write_costs.show(found, admin))


def read_people(found: Databases) -> list[tuple[str, Place]]:
    """Sids with a place where their user is a member."""
    query = "SELECT user_id, organization_id, project_id FROM project_members ORDER BY md5(user_id::text) LIMIT %s"
    with psycopg.connect(found.postgres.url("tenancy")) as tenancy:
        return [
            (sid_of(row[0]), (str(row[0]), str(row[1]), str(row[2])))
            for row in tenancy.execute(query, [PEOPLE]).fetchall()
        ]


async def show_batches(found: Databases, admin: Connection, people: list[tuple[str, Place]], seconds: float) -> None:
    """Each of the two statements of the hot path alone, one batch after the other on one connection."""
    print("\n| statement | questions | rows | pages | us in PostgreSQL | CPU us of its process, a question |")
    print("|---|---|---|---|---|---|")
    async with hot(found, "identity") as database:
        for size in BATCHES:
            sids = [sid for sid, _ in people[:size]]

            async def validate(sids: list[str] = sids) -> int:
                return len(await list_owners(database, sids=sids, touch_every=timedelta(days=1)))

            await show_batch(admin, "identity", "sessions", size, validate, seconds)
    async with hot(found, "tenancy") as database:
        for size in BATCHES:
            places = [place for _, place in people[:size]]

            async def read(places: list[Place] = places) -> int:
                return sum(role is not None for role, _, _ in await roles_in_places(database, places))

            await show_batch(admin, "tenancy", "roles", size, read, seconds)


@asynccontextmanager
async def hot(found: Databases, service: str) -> AsyncIterator[Database]:
    url = found.service_url(service, service)
    database = Database(url, pool_size=1, name="statements", constraint_errors={})
    await database.open()
    yield database
    await database.close()


async def show_batch(
    admin: Connection, service: str, name: str, size: int, ask: Callable[[], Awaitable[int]], seconds: float
) -> None:
    if await ask() != size:
        raise SystemExit(f"{name}: not every question was answered")
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'statements' AND datname = %s"
    pids = [pid for (pid,) in admin.execute(query, [service]).fetchall()]
    admin.execute("SELECT pg_stat_statements_reset()")
    before, end, calls = cpu(pids), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        await ask()
        calls += 1
    used = (cpu(pids) - before) * 1e6 / (calls * size)
    _, rows, pages, spent = counted(admin, service)
    each = calls * size
    print(f"| {name} | {size} | {rows / each:.2f} | {pages / each:.1f} | {spent / each:.1f} | {used:.1f} |", flush=True)


async def show_checks(found: Databases, admin: Connection, people: list[tuple[str, Place]], seconds: float) -> None:
    """Both services as processes, one worker each, and CheckAccess from this process."""
    secret = secrets.token_urlsafe(48)
    requests = [
        (
            CheckAccessRequest(
                organization_id=organization_id or "", project_id=project_id or "", permission="project:read"
            ),
            (("authorization", f"Bearer {tokens.sign(sid, secret.encode())}"),),
        )
        for sid, (_, organization_id, project_id) in people
    ]
    print(
        "\n| in flight | questions in a batch | statements a check | rows | pages | us in PostgreSQL | its CPU us |",
        end="",
    )
    print(" identity's CPU us | tenancy's CPU us |\n|---|---|---|---|---|---|---|---|---|")
    with services(found, secret) as (address, workers):
        async with grpc.aio.insecure_channel(address) as channel:
            check = AccessServiceStub(channel).CheckAccess
            await run(check, requests, 8, 1)  # the first minute's touches are written
            for in_flight in IN_FLIGHT:
                admin.execute("SELECT pg_stat_statements_reset()")
                before = [cpu(pids) for pids in (backends(admin), *workers)]
                calls = await run(check, requests, in_flight, seconds)
                after = [cpu(pids) for pids in (backends(admin), *workers)]
                used = [(end - begin) * 1e6 / calls for begin, end in zip(before, after, strict=True)]
                both = [sum(each) / calls for each in zip(*(counted(admin, s) for s in SERVICES), strict=True)]
                print(
                    f"| {in_flight} | {2 / both[0]:.1f} | {both[0]:.3f} | {both[1]:.2f} | {both[2]:.1f} "
                    f"| {both[3]:.1f} | {' | '.join(f'{each:.0f}' for each in used)} |"
                )
            show_connections(admin)


@contextmanager
def services(found: Databases, secret: str) -> Iterator[tuple[str, list[list[int]]]]:
    """The address of tenancy, and the process of each."""
    one, other = (f"127.0.0.1:{free_port()}" for _ in range(2))
    identity = {
        "DATABASE_URL": found.service_url("identity", "identity"),
        "SESSION_SECRETS": secret,
        "SERVICE_KEYS": f"tenancy:{digest(TENANCY_KEY).hex()}",
        "LISTEN_ADDRESS": one,
    }
    tenancy = {
        "DATABASE_URL": found.service_url("tenancy", "tenancy"),
        "IDENTITY_ADDRESS": one,
        "IDENTITY_SERVICE_KEY": TENANCY_KEY,
        "IDENTITY_TIMEOUT_SECONDS": "2",
        "LISTEN_ADDRESS": other,
    }
    processes = [start(["identity_service"], identity), start(["tenancy_service"], tenancy)]
    try:
        for address in (one, other):
            wait_for(address)
        yield other, [[process.pid] for process in processes]
    finally:
        for process in processes:
            process.terminate()
            process.wait()


async def run(
    check: Callable[..., Awaitable[CheckAccessResponse]], requests: list[Any], in_flight: int, seconds: float
) -> int:
    """How many checks; all must be allowed."""
    end, calls = time.monotonic() + seconds, 0

    async def ask(first: int) -> None:
        nonlocal calls
        place = first
        while time.monotonic() < end:
            request, metadata = requests[place % len(requests)]
            if not (await check(request, metadata=metadata)).allowed:
                raise SystemExit("a check was refused")
            calls, place = calls + 1, place + in_flight

    await asyncio.gather(*(ask(n) for n in range(in_flight)))
    return calls


def show_connections(admin: Connection) -> None:
    query = """SELECT datname, count(*) FROM pg_stat_activity
                WHERE datname IN ('identity', 'tenancy') GROUP BY 1 ORDER BY 1"""
    told = ", ".join(f"{name} {count}" for name, count in admin.execute(query).fetchall())
    print(f"\nConnections that one worker of each held after that: {told}")


def counted(admin: Connection, database: str) -> tuple[float, float, float, float]:
    """Statements, their rows, the pages that they looked at, and microseconds, since the last reset."""
    row = admin.execute(COUNTED, [database]).fetchone()
    assert row is not None
    return row[0] or 0.0, row[1] or 0.0, row[2] or 0.0, row[3] or 0.0


def backends(admin: Connection) -> list[int]:
    return [pid for (pid,) in admin.execute("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")]


def cpu(pids: list[int]) -> float:
    """Seconds of processor time so far, of those that are there."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


if __name__ == "__main__":
    main()
