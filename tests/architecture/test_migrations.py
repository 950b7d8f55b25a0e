"""Both histories: from empty, several times at once, and nothing left that the tables say and the history does not."""

import io
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from tenantry.migrate import MIGRATIONS, migrate
from tenantry.testing.databases import Databases

EACH = pytest.mark.parametrize("service", ["identity", "tenancy"])
UNNAMED = """SELECT conname FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
              WHERE n.nspname = 'public' AND contype <> 'n'
                AND conname !~ '^(pk|uq|fk|ck)_' AND conname NOT IN ('session_pkey', 'alembic_version_pkc')"""


@EACH
def test_the_history_makes_what_the_tables_say(databases: Databases, service: str) -> None:
    url = databases.owner_url(service, databases.empty(service))
    migrate(service, url)
    said = io.StringIO()
    config = Config(MIGRATIONS / "alembic.ini", ini_section=service, stdout=said)
    config.attributes["url"] = url
    command.check(config)  # raises if it would write another migration
    assert "No new upgrade operations" in said.getvalue()


@EACH
def test_five_at_once_all_succeed(databases: Databases, service: str) -> None:
    """Each in a process, as replicas are; one does the work, the others find nothing to do."""
    import subprocess
    import sys

    url = databases.owner_url(service, databases.empty(service))
    call = f"from tenantry.migrate import migrate; migrate({service!r}, {url!r})"

    def run(_: int) -> int:
        return subprocess.run([sys.executable, "-c", call], capture_output=True, timeout=60).returncode

    with ThreadPoolExecutor(5) as threads:
        assert list(threads.map(run, range(5))) == [0] * 5
    migrate(service, url)  # and once more, with nothing to do


@EACH
def test_every_constraint_has_a_name_that_can_be_told(databases: Databases, service: str) -> None:
    with psycopg.connect(databases.owner_url(service, service)) as connection:
        assert connection.execute(UNNAMED).fetchall() == []


@EACH
def test_the_service_may_read_and_write_rows_and_nothing_else(databases: Databases, service: str) -> None:
    url = databases.service_url(service, databases.copy(service))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT 1 FROM request_results")
        for forbidden in (
            "CREATE TABLE mine (id int)",
            "DROP TABLE request_results",
            "TRUNCATE request_results",
            "ALTER TABLE request_results ADD COLUMN mine int",
            "CREATE ROLE mine",
            "CREATE EXTENSION citext",
            "COPY request_results TO PROGRAM 'true'",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)
