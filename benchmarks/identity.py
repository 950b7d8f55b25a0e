"""A process of identity on a database of its own, accounts with a password, and calls from wherever one likes."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psycopg
from uuid_utils.compat import uuid7

from benchmarks.world import SECRET, start, wait_for
from protos.identity.v1.sessions_pb2 import CreateSessionRequest
from tenantry.ports import free_port
from tenantry.testing.databases import databases
from tenantry.testing.pair import OPERATOR_KEY, digest
from tenantry.testing.people import hash_of

PASSWORD = "tulip orbit canyon maple"
WRONG = "another orbit canyon maple"
Metadata = tuple[tuple[str, str], ...]


@dataclass
class Identity:
    """Where it listens, its database with the rights of the service, and its process."""

    address: str
    database_url: str
    pid: int

    def accounts(self, count: int, state: str = "ACTIVE", *, is_verified: bool = True) -> list[str]:
        """The addresses of new ones with PASSWORD."""
        emails = [f"{uuid7().hex}@example.com" for _ in range(count)]
        with psycopg.connect(self.database_url) as connection:
            connection.cursor().executemany(
                """INSERT INTO users
                          (user_id, email, email_key, display_name, password_hash, state, email_verified_time)
                   VALUES (%s, %s, %s, '', %s, %s, CASE WHEN %s THEN now() END)""",
                [(uuid7(), email, email, hash_of(PASSWORD), state, is_verified) for email in emails],
            )
        return emails


@contextmanager
def serving(url: str, *, log: Path | None = None, **settings: str) -> Iterator[Identity]:
    """On this database; `settings` beside those that it needs. What it logs goes to `log`, or warnings are shown."""
    address = f"127.0.0.1:{free_port()}"
    needed = {
        "DATABASE_URL": url,
        "SESSION_SECRETS": SECRET,
        "SERVICE_KEYS": f"operator:{digest(OPERATOR_KEY).hex()}",
        "LISTEN_ADDRESS": address,
    }
    process = start(["identity_service"], {**needed, **settings}, log=log)
    try:
        wait_for(address)
        yield Identity(address, url, process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def identity() -> Iterator[Identity]:
    """Its callers are a trusted proxy."""
    with databases() as found, tempfile.TemporaryDirectory(prefix="tenantry-mail-") as mail_folder:
        url = found.service_url("identity", "identity")
        with serving(url, TRUSTED_PROXIES="127.0.0.0/8", MAIL_FOLDER=mail_folder) as running:
            yield running


def sign_in(email: str, password: str = PASSWORD, device_token: str = "") -> CreateSessionRequest:
    return CreateSessionRequest(email=email, password=password, device_token=device_token)


def via(source: str) -> Metadata:
    return (("x-forwarded-for", source),)


def new_source() -> str:
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::1"


def told(error: grpc.aio.AioRpcError) -> str:
    """The message's first sentence, which is the reason's."""
    return str(error.details()).partition(".")[0]
