"""The embedded PostgreSQL and its roles, as the tests and `tenantry up` use them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tenantry import embedded_postgres, postgres_place
from tenantry.database_urls import SERVICES, Passwords, service_url
from tenantry.embedded_postgres import FAST_AND_UNSAFE, EmbeddedPostgres
from tenantry.provision import provision

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
PASSWORDS = {service: Passwords(service=f"{service}/@:1", owner=f"{service}/@:2") for service in SERVICES}


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        started = embedded_postgres.start(Path(folder) / "postgres", "first", extra_settings=FAST_AND_UNSAFE)
        yield started
        started.stop()


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question).fetchone()
        return row[0] if row else None


def test_it_sorts_the_same_everywhere_and_asks_for_passwords(postgres: EmbeddedPostgres) -> None:
    assert ask(postgres.url(), "SELECT datlocale FROM pg_database WHERE datlocprovider = 'b' LIMIT 1") == "C.UTF-8"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url().replace("first", "wrong"))


def test_settings_for_tests_reach_it(postgres: EmbeddedPostgres) -> None:
    assert ask(postgres.url(), "SELECT current_setting('fsync')") == "off"


def test_provisioning_twice_at_once_and_again_changes_nothing_but_passwords(postgres: EmbeddedPostgres) -> None:
    with ThreadPoolExecutor() as threads:
        for run in [threads.submit(provision, postgres.url(), PASSWORDS) for _ in range(4)]:
            run.result()
    changed = {**PASSWORDS, "identity": Passwords(service="new", owner="new too")}
    provision(postgres.url(), changed)
    assert ask(service_url(postgres.url(), "identity", changed), "SELECT current_user") == "identity"
    assert ask(service_url(postgres.url(), "tenancy", changed), "SELECT current_user") == "tenancy"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(service_url(postgres.url(), "identity", PASSWORDS))


def test_a_role_can_do_nothing_that_its_service_does_not_need(postgres: EmbeddedPostgres) -> None:
    provision(postgres.url(), PASSWORDS)
    powers = """SELECT bool_or(rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
                  FROM pg_roles WHERE rolname LIKE 'identity%' OR rolname LIKE 'tenancy%'"""
    assert ask(postgres.url(), powers) is False
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(service_url(postgres.url(), "identity", PASSWORDS), "CREATE TABLE mine (x int)")


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


@AS_ROOT
def test_where_its_user_cannot_go_data_and_programs_are_put_below_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = postgres_place.choose(tmp_path / "postgres").programs.parents[1]
    (tmp_path / "packages").mkdir()
    for folder in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, tmp_path / "packages" / folder.name, symlinks=True, copy_function=link_or_copy)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    tmp_path.chmod(0o700)
    elsewhere = postgres_place.twin(tmp_path / "postgres")
    try:
        started = embedded_postgres.start(tmp_path / "postgres", "first", extra_settings=FAST_AND_UNSAFE)
        assert ask(started.url(), "SELECT 1") == 1
        started.stop()
        assert started.folder == elsewhere
        assert Path(str(started.process.args[0])).is_relative_to(elsewhere)  # type: ignore[index]
        assert tmp_path.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(elsewhere, ignore_errors=True)
