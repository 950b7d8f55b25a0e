"""Roles and databases of the two services on any PostgreSQL; safe to repeat, also twice at once.

Each service has a database of its own name. `<service>_owner` runs the migrations; `<service>` may only
read and write rows.
"""

import time
from collections.abc import Mapping

import psycopg
from psycopg import sql

from tenantry.database_urls import SERVICES, Passwords, owner_url

LOCK = 0x74656E616E747279  # "tenantry"
LOCK_SECONDS = 30.0


def provision(admin_url: str, passwords: Mapping[str, Passwords]) -> None:
    """Create what is missing and set the passwords; `admin_url` may create roles and databases."""
    with psycopg.connect(admin_url, autocommit=True) as admin:
        _lock(admin)
        for service in SERVICES:
            _create_role(admin, f"{service}_owner", passwords[service].owner)
            _create_role(admin, service, passwords[service].service)
            _create_database(admin, service)
        for service in SERVICES:
            with psycopg.connect(owner_url(admin_url, service, passwords), autocommit=True) as owner:
                _grant(owner, service)


def _lock(admin: psycopg.Connection) -> None:
    """Held until the connection ends. Asked for again and again: a waiting statement would hold a snapshot."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        row = admin.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
        if row and row[0]:
            return
        if time.monotonic() > deadline:
            raise TimeoutError("another `tenantry migrate` has been setting up this PostgreSQL for too long")
        time.sleep(0.05)


def _create_role(admin: psycopg.Connection, name: str, password: str) -> None:
    # Hashed here, so that no log of statements ever holds the password.
    verifier = admin.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    exists = admin.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is not None
    statement = sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
        sql.SQL("ALTER" if exists else "CREATE"), sql.Identifier(name), sql.Literal(verifier)
    )
    admin.execute(statement)


def _create_database(admin: psycopg.Connection, service: str) -> None:
    database, owner = sql.Identifier(service), sql.Identifier(f"{service}_owner")
    if admin.execute("SELECT FROM pg_database WHERE datname = %s", (service,)).fetchone() is None:
        # Administrators of hosted PostgreSQL are no superusers and must be members of the owner.
        admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(owner))
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, owner))


def _grant(owner: psycopg.Connection, service: str) -> None:
    """As the owner, so that the rights cover every table it will create."""
    role = sql.Identifier(service)
    for statement in (
        "REVOKE CONNECT ON DATABASE {0} FROM PUBLIC",
        "GRANT CONNECT ON DATABASE {0} TO {0}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO {0}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {0}",
    ):
        owner.execute(sql.SQL(statement).format(role))
