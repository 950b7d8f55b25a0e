"""PostgreSQL with a crowd in it, made by COPY once for each size and kept; each run works on copies of its databases.

They lie in .tenantry/bench of the project, or in BENCH_DATA_DIR. What was made for other tables is made anew.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import psycopg
from argon2 import PasswordHasher
from filelock import FileLock
from psycopg import sql

from benchmarks import crowd
from benchmarks.crowd import Size
from identity_service.passwords import MEMORY, PARALLELISM, TIME
from tenantry import embedded_postgres, migrate, postgres_place
from tenantry.database_urls import SERVICES, Passwords, owner_url
from tenantry.embedded_postgres import FAST_AND_UNSAFE, EmbeddedPostgres
from tenantry.project import CODE
from tenantry.provision import provision

PASSWORD = "tulip orbit canyon maple"  # of everybody
SUPERUSER = "postgres-bench"
PASSWORDS = {service: Passwords(service=f"{service}-bench", owner=f"{service}-owner-bench") for service in SERVICES}
SETTINGS = {"max_connections": "200"}  # for two pairs; all else as it comes
ROWS_AT_ONCE = 5_000


@contextmanager
def running(size: Size) -> Iterator[EmbeddedPostgres]:
    """With the databases `identity_run` and `tenancy_run`, as the fixture is."""
    folder = Path(os.environ.get("BENCH_DATA_DIR") or CODE / ".tenantry" / "bench") / size.name
    stamp = folder / "made-for"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not stamp.exists() or stamp.read_text() != fingerprint(size):
            make(size, folder)
            stamp.write_text(fingerprint(size))
        postgres = embedded_postgres.start(folder / "postgres", SUPERUSER, extra_settings=SETTINGS)
        try:
            copy_databases(postgres)
            yield postgres
        finally:
            postgres.stop()


def copy_databases(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        for service in SERVICES:
            names = sql.Identifier(f"{service}_run"), sql.Identifier(service)
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(names[0]))
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(*names))
        admin.execute("CHECKPOINT")


def url(postgres: EmbeddedPostgres, service: str) -> str:
    """Of the run's database, with the rights of the service."""
    return f"postgresql://{service}:{PASSWORDS[service].service}@127.0.0.1:{postgres.port}/{service}_run"


def fingerprint(size: Size) -> str:
    """Of what the content follows from."""
    return hashlib.sha256(f"{migrate.fingerprint()} {size} {Path(crowd.__file__).read_text()}".encode()).hexdigest()


def make(size: Size, folder: Path) -> None:
    began = time.monotonic()
    print(f"making {size.memberships:,} memberships (once) ...", flush=True)
    place = postgres_place.choose(folder / "postgres")
    (folder / "made-for").unlink(missing_ok=True)
    shutil.rmtree(place.data, ignore_errors=True)
    postgres = embedded_postgres.start(folder / "postgres", SUPERUSER, extra_settings={**FAST_AND_UNSAFE, **SETTINGS})
    try:
        provision(postgres.url(), PASSWORDS)
        for service in SERVICES:
            migrate.migrate(service, owner_url(postgres.url(), service, PASSWORDS))
        with ProcessPoolExecutor(len(SERVICES), get_context("spawn")) as processes:
            list(processes.map(fill, SERVICES, [size] * 2, [postgres.url(service) for service in SERVICES]))
    finally:
        postgres.stop()
    print(f"made in {time.monotonic() - began:.0f} s; kept in {place.folder}", flush=True)


def fill(service: str, size: Size, address: str) -> None:
    if service == "identity":
        tables = crowd.identity_rows(size, PasswordHasher(TIME, MEMORY, PARALLELISM).hash(PASSWORD))
    else:
        tables = crowd.tenancy_rows(size)
    with psycopg.connect(address, autocommit=True) as connection:
        # The rows are right as they are: looking up each reference would take most of the time.
        connection.execute("SET session_replication_role = replica")
        for table, rows in tables.items():
            with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                while lines := ["\t".join(map(str, row)) for row in islice(rows, ROWS_AT_ONCE)]:
                    copy.write("\n".join(lines) + "\n")
        connection.execute("VACUUM (FREEZE, ANALYZE)")
