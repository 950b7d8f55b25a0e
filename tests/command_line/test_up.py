"""What `tenantry up` says and writes while it runs."""

import os
import re
import socket
import stat
import sys
from pathlib import Path

import psycopg
import pytest

from tenantry import run_state
from tests.command_line.launched import Launched, tenantry


def test_it_prints_a_ready_line_for_each_service_and_where_the_data_is(up: Launched) -> None:
    state, lines = up.state, up.lines
    assert re.fullmatch(r"First time here: PostgreSQL 18 \d+\.\d s, migrations \d+\.\d s", lines[0])
    assert lines[1] == f"identity   {state['identity']['address']}   ready"
    assert lines[2] == f"tenancy    {state['tenancy']['address']}   ready"
    assert lines[3].startswith(f"data       {up.folder}/   survives restarts; empty it with: ")
    assert lines[4] == f"mail       {up.folder}/mail/   (no SMTP configured)"
    assert re.fullmatch(r"Ready after \d+\.\d s\. In another terminal:", lines[5])
    assert lines[-1] == "Ctrl-C drains and stops."


def test_run_json_holds_what_tools_need_and_only_its_owner_reads_it(up: Launched) -> None:
    state = up.state
    assert set(state) == {"identity", "tenancy", "service_keys", "session_secrets", "pids", "mail", "started"}
    assert set(state["identity"]) == set(state["tenancy"]) == {"address", "database_url"}
    assert state["mail"] == str(up.folder / "mail")
    assert state["service_keys"].keys() == {"operator"}
    assert state["service_keys"]["operator"].startswith("operator.")
    assert len(state["session_secrets"]) == 1
    assert state["pids"].keys() == {"tenantry", "postgres", "identity", "tenancy"}
    assert state["pids"]["tenantry"] == up.process.pid
    for name in ("run.json", "secrets.json", "env"):
        assert stat.S_IMODE((up.folder / name).stat().st_mode) == 0o600


def test_the_database_url_is_of_a_role_that_only_reads_and_writes_rows(up: Launched) -> None:
    with psycopg.connect(up.state["identity"]["database_url"], autocommit=True) as service:
        assert service.execute("SELECT count(*) FROM users").fetchone() is not None
        for forbidden in ("CREATE TABLE mine (x int)", "DROP TABLE users", "CREATE ROLE other", "TRUNCATE users"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute(forbidden)
    into_the_other = up.state["identity"]["database_url"].removesuffix("identity") + "tenancy"
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(into_the_other)


def test_everything_listens_on_this_machine_only(up: Launched) -> None:
    state = up.state
    ours = {int(address.rpartition(":")[2]) for address in run_state.addresses_of(state).values()}
    tables = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
    rows = [row.split() for table in tables for row in table.read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) in ours}
    assert {address.rpartition(":")[0][-8:] for address in listening} == {"0100007F"}


def test_a_second_one_says_that_one_is_running_and_where(up: Launched) -> None:
    second = tenantry(up.folder, "up")
    first, *rest = second.stdout.splitlines()
    assert second.returncode == 0
    assert re.fullmatch(rf"already running since \d\d:\d\d \(pid {up.process.pid}\)", first)
    assert rest[:4] == up.lines[1:5]
    assert rest[-1] == up.lines[-1]


@pytest.mark.parametrize("service", ["IDENTITY", "TENANCY"])
def test_a_taken_port_is_named_with_its_owner_and_nothing_is_started(folder: Path, service: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = tenantry(folder, "up", **{f"{service}_PORT": str(port)})
    program = Path(sys.executable).name
    assert refused.returncode == 3
    first, second = refused.stderr.splitlines()
    assert re.fullmatch(rf"error: port {port} is used by another program \(pid {os.getpid()}, {program}[\d.]*\)", first)
    assert re.fullmatch(rf"try: {service}_PORT=\d+ make run", second)
    assert not (folder / "postgres").exists()


def test_a_port_that_is_no_number_is_wrong_use(folder: Path) -> None:
    refused = tenantry(folder, "up", IDENTITY_PORT="fifty")
    assert refused.returncode == 2
    assert "IDENTITY_PORT" in refused.stderr
