"""Copy a crowd into both databases of the pair that runs here, as the owners of the tables."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import psycopg
from argon2 import PasswordHasher
from psycopg import sql

from identity_service.passwords import MEMORY, PARALLELISM, TIME
from tenantry import local_secrets, run_state
from tenantry.database_urls import SERVICES, owner_url
from tenantry.failures import NOT_REACHED, Failure
from tenantry.seed.crowd import Crowd, Row

TOLD_EVERY = 1000  # rows
Told = Callable[[str, int], None]


def databases_here() -> dict[str, str]:
    """The addresses of the nearest running pair's databases, with the rights of their owners."""
    folder = run_state.nearest_folder()
    state = run_state.running(folder) if folder else None
    if folder is None or state is None:
        raise Failure("no pair is running here", NOT_REACHED, "start one:  make run")
    passwords = local_secrets.load_or_make(folder / "secrets.json").passwords()
    url = state["identity"]["database_url"]  # both are on one server
    return {service: owner_url(url, service, passwords) for service in SERVICES}


def copy_crowd(urls: Mapping[str, str], crowd: Crowd, password: str, told: Told) -> dict[str, int]:
    """How many rows of each table; `told` gets the table and how many more. One transaction in each database.

    The people first: who belongs to an organization exists.
    """
    hashed = PasswordHasher(TIME, MEMORY, PARALLELISM).hash(password)
    users = crowd.user_rows(hashed, datetime.now(UTC))
    return copy_all(urls["identity"], {"users": users}, told) | copy_all(
        urls["tenancy"],
        {
            "user_names": crowd.name_rows(),
            "organizations": crowd.organization_rows(),
            "organization_members": crowd.member_rows(),
            "projects": crowd.project_rows(),
            "project_members": crowd.override_rows(),
        },
        told,
    )


COLUMNS = {
    "users": ("user_id", "email", "email_key", "display_name", "password_hash", "email_verified_time"),
    "user_names": ("user_id", "email_key", "name_key"),
    "organizations": ("organization_id", "slug", "display_name"),
    "organization_members": ("organization_id", "user_id", "role"),
    "projects": ("organization_id", "project_id", "slug", "display_name"),
    "project_members": ("organization_id", "project_id", "user_id", "inherited_from_org", "role", "set_by_service"),
}


def copy_all(url: str, tables: Mapping[str, Iterable[Row]], told: Told) -> dict[str, int]:
    counts: dict[str, int] = {}
    with psycopg.connect(url) as connection:
        for table, rows in tables.items():
            counts[table] = copy_rows(connection, table, rows, told)
    with psycopg.connect(url, autocommit=True) as connection:
        for table in tables:  # the planner would take them for empty until autovacuum comes
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
    return counts


def copy_rows(connection: "psycopg.Connection[Row]", table: str, rows: Iterable[Row], told: Told) -> int:
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS[table]))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)
    count = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for count, row in enumerate(rows, 1):
            copy.write_row(row)
            if count % TOLD_EVERY == 0:
                told(table, TOLD_EVERY)
    told(table, count % TOLD_EVERY)
    return count
