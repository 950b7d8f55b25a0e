"""One PostgreSQL for a test run, with a migrated template for each service to copy databases from."""

import itertools
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from tenantry import embedded_postgres
from tenantry.database_urls import SERVICES, Passwords, owner_url
from tenantry.embedded_postgres import FAST_AND_UNSAFE, EmbeddedPostgres
from tenantry.migrate import migrate
from tenantry.provision import provision

FOR_TESTS = {**FAST_AND_UNSAFE, "max_connections": "200"}
PASSWORDS = {service: Passwords(service=f"{service}-test", owner=f"{service}-owner-test") for service in SERVICES}


class Databases:
    """`copy()` makes a database of its own from a service's template, in about 30 ms."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self.postgres = postgres
        self._numbers = itertools.count(1)

    def copy(self, template: str, *, time_zone: str = "UTC") -> str:
        """The name of a new database: a copy of `identity`, `tenancy` or any other."""
        name = f"{template}_{next(self._numbers)}"
        with psycopg.connect(self.postgres.url(), autocommit=True) as admin:
            names = sql.Identifier(name), sql.Identifier(template)
            admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(*names))
            admin.execute(sql.SQL("ALTER DATABASE {} SET timezone = {}").format(names[0], sql.Literal(time_zone)))
        return name

    def empty(self, service: str) -> str:
        """The name of a new database of the service's owner, without its tables."""
        name = f"{service}_empty_{next(self._numbers)}"
        with psycopg.connect(self.postgres.url(), autocommit=True) as admin:
            names = sql.Identifier(name), sql.Identifier(f"{service}_owner")
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
        return name

    def service_url(self, service: str, database: str) -> str:
        """With the rights the service has in production."""
        return self._url(service, PASSWORDS[service].service, database)

    def owner_url(self, service: str, database: str) -> str:
        """With the rights of its migrations."""
        return self._url(f"{service}_owner", PASSWORDS[service].owner, database)

    def _url(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.postgres.port}/{database}"


@contextmanager
def databases(settings: Mapping[str, str] = FOR_TESTS) -> Iterator[Databases]:
    """Ready in about two seconds; everything is gone with the block, or with this process."""
    with tempfile.TemporaryDirectory(prefix="tenantry-test-") as folder:
        # Root's PostgreSQL runs as another user, who must be able to pass through.
        Path(folder).chmod(0o755)
        postgres = embedded_postgres.start(Path(folder) / "postgres", "postgres-test", extra_settings=settings)
        try:
            provision(postgres.url(), PASSWORDS)
            for service in SERVICES:
                migrate(service, owner_url(postgres.url(), service, PASSWORDS))
            yield Databases(postgres)
        finally:
            postgres.stop()
