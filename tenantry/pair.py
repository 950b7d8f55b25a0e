"""PostgreSQL, both services and a gateway, as children of this process: started, awaited, stopped in order."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tenantry import embedded_postgres, migrate
from tenantry.database_urls import SERVICES, owner_url, service_url
from tenantry.embedded_postgres import EmbeddedPostgres
from tenantry.local_secrets import LocalSecrets, load_or_make
from tenantry.processes import dies_with_parent
from tenantry.project import CODE, make_data_folder, project_folder
from tenantry.run_state import RunState

if TYPE_CHECKING:
    from tenantry.gateway.settings import GatewaySettings

START_SECONDS = 30.0
GRACE_SECONDS = "5"

Note = Callable[[str], None]


class StoppedError(RuntimeError):
    """One of the processes ended by itself; the text holds the last lines of its log."""


@dataclass(slots=True)
class Pair:
    folder: Path
    addresses: dict[str, str]
    secrets: LocalSecrets
    postgres: EmbeddedPostgres
    session_secrets: str
    gateway: "GatewaySettings | None" = None
    services: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    def state(self) -> RunState:
        urls = {service: self.database_url(service) for service in SERVICES}
        state: RunState = {
            "identity": {"address": self.addresses["identity"], "database_url": urls["identity"]},
            "tenancy": {"address": self.addresses["tenancy"], "database_url": urls["tenancy"]},
            "service_keys": {"operator": self.secrets.service_keys["operator"]},
            "session_secrets": [secret.strip() for secret in self.session_secrets.split(",")],
            "pids": {"tenantry": os.getpid(), **{name: process.pid for name, process in self.processes().items()}},
            "mail": self.mail(),
            "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        if self.gateway:
            state["gateway"] = {"address": str(self.gateway.address), "url": self.gateway.url}
        return state

    def mail(self) -> str:
        """The folder that mails are written to, or smtp://host for those that leave."""
        server = os.environ.get("SMTP_URL")
        return f"smtp://{urlsplit(server).hostname}" if server else mail_folder(self.folder)

    def processes(self) -> "dict[str, subprocess.Popen[bytes]]":
        return {"postgres": self.postgres.process, **self.services}

    def database_url(self, service: str) -> str:
        return service_url(self.postgres.url(), service, self.secrets.passwords())

    def check(self) -> None:
        for name, process in self.processes().items():
            if process.poll() is not None:
                status = process.returncode
                how = f"was ended by signal {-status}" if status < 0 else f"stopped with exit status {status}"
                raise StoppedError(f"{name} {how}; {self.end_of_log(name)}")

    def log(self, name: str) -> Path:
        return self.folder / "log" / f"{name}.log"

    def end_of_log(self, name: str, lines: int = 8) -> str:
        last = self.log(name).read_text(errors="replace").splitlines()[-lines:]
        return "\n  ".join([f"the end of its log ({self.log(name)}):", *last])

    def stop(self) -> None:
        """The services finish their calls while the database still answers."""
        for process in self.services.values():
            if process.poll() is None:
                process.terminate()
        for process in self.services.values():
            try:
                process.wait(float(os.environ.get("GRACE_SECONDS", GRACE_SECONDS)) + 5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.postgres.stop()


def start(
    folder: Path, ports: Mapping[str, int], note: Note, *, extra_settings: Mapping[str, str] | None = None
) -> Pair:
    """Returns when both services serve. `note` is told what only the first start does."""
    addresses = {service: f"127.0.0.1:{ports[service]}" for service in SERVICES}
    gateway = local_gateway(addresses, ports["gateway"]) if "gateway" in ports else None
    make_data_folder(folder)
    secrets = load_or_make(folder / "secrets.json")
    began = time.monotonic()
    postgres = embedded_postgres.start(
        folder / "postgres", secrets.superuser_password, log=folder / "log" / "postgres.log",
        extra_settings=extra_settings, meanwhile=migrate.warm_up,
    )  # fmt: skip
    postgres_took = time.monotonic() - began
    # An Express app that exists brings its own secret.
    chosen = os.environ.get("SESSION_SECRETS") or os.environ.get("SESSION_SECRET") or secrets.session_secret
    pair = Pair(folder, addresses, secrets, postgres, chosen, gateway)
    try:
        began = time.monotonic()
        if prepare_databases(pair) and postgres.is_new:
            took = time.monotonic() - began
            note(f"First time here: PostgreSQL 18 {postgres_took:.1f} s, migrations {took:.1f} s")
        for service in SERVICES:
            pair.services[service] = start_service(pair, service)
        wait_until_serving(pair)
        if pair.gateway:
            start_gateway(pair, pair.gateway)
    except BaseException:
        pair.stop()
        raise
    return pair


def prepare_databases(pair: Pair) -> bool:
    """False if the last start left them as they must be; looking again would cost half a second."""
    stamp = pair.folder / "migrated"
    secrets = json.dumps(pair.secrets.database_passwords, sort_keys=True)
    wanted = hashlib.sha256(f"{migrate.fingerprint()} {secrets}".encode()).hexdigest()
    if not pair.postgres.is_new and stamp.exists() and stamp.read_text() == wanted:
        return False
    import psycopg
    from alembic.util import CommandError

    from tenantry.provision import provision

    passwords = pair.secrets.passwords()
    try:
        provision(pair.postgres.url(), passwords)
        for service in SERVICES:
            migrate.migrate(service, owner_url(pair.postgres.url(), service, passwords))
    except (psycopg.OperationalError, CommandError) as error:
        # secrets.json of another folder, or data of a newer version of the code
        raise StoppedError(f"the databases in {pair.folder} do not fit: {error}\ntry: make reset") from None
    stamp.write_text(wanted)
    return True


def start_service(pair: Pair, service: str) -> "subprocess.Popen[bytes]":
    with pair.log(service).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", f"{service}_service"],
            cwd=CODE,
            env=environment(pair, service),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in the terminal is for us: we stop them in order
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )


def environment(pair: Pair, service: str) -> dict[str, str]:
    """What the person set stays in force, but for what only the local stack can know."""
    keys = {"identity": pair.secrets.entries("operator", "tenancy"), "tenancy": pair.secrets.entries("operator")}
    more_keys = os.environ.get("SERVICE_KEYS")
    permissions = project_folder() / "permissions.toml"
    return {
        "REFLECTION": "on",
        **({"TRUSTED_PROXIES": "127.0.0.1"} if pair.gateway else {}),
        "GRACE_SECONDS": GRACE_SECONDS,
        "FACTOR_SECRETS": pair.secrets.factor_secret,
        **({"PERMISSIONS_FILE": str(permissions)} if permissions.exists() else {}),
        **{name: value for name, value in os.environ.items() if name != "SESSION_SECRET"},
        "METRICS_ADDRESS": os.environ.get(f"{service.upper()}_METRICS_ADDRESS", ""),  # one port cannot be both's
        "WORKERS": "",  # one process of each here
        "DATABASE_URL": pair.database_url(service),
        "LISTEN_ADDRESS": pair.addresses[service],
        "SERVICE_KEYS": ",".join([keys[service], *([more_keys] if more_keys else [])]),
        "SESSION_SECRETS": pair.session_secrets,
        "MAIL_FOLDER": mail_folder(pair.folder),
        "IDENTITY_ADDRESS": pair.addresses["identity"],
        "IDENTITY_SERVICE_KEY": pair.secrets.service_keys["tenancy"],
    }


def local_gateway(addresses: Mapping[str, str], port: int) -> "GatewaySettings":
    """What the person set stays in force, but for where everything is."""
    from shared.settings import load  # only who wants a gateway waits for these imports
    from tenantry.gateway.settings import GatewaySettings

    return load(
        GatewaySettings,
        GATEWAY_ADDRESS=f"127.0.0.1:{port}",
        IDENTITY_ADDRESSES=addresses["identity"],
        TENANCY_ADDRESSES=addresses["tenancy"],
        GATEWAY_THREADS=os.environ.get("GATEWAY_THREADS") or "1",
    )


def start_gateway(pair: Pair, settings: "GatewaySettings") -> None:
    from tenantry.gateway import envoy

    process = pair.services["gateway"] = envoy.start(settings, pair.folder / "gateway", pair.log("gateway"))
    if not envoy.wait_until_ready(process, settings):
        pair.check()
        raise StoppedError(f"the gateway was not ready; {pair.end_of_log('gateway')}")


def mail_folder(folder: Path) -> str:
    return str(Path(os.environ.get("MAIL_FOLDER") or folder / "mail").absolute())


def wait_until_serving(pair: Pair) -> None:
    from tenantry import client

    deadline = time.monotonic() + START_SECONDS
    for service, address in pair.addresses.items():
        with client.connect(address) as channel:
            while not client.is_serving(channel):
                pair.check()
                if time.monotonic() > deadline:
                    late = f"{service} was not ready after {START_SECONDS:.0f} s"
                    raise StoppedError(f"{late}; {pair.end_of_log(service)}")
                time.sleep(0.02)
