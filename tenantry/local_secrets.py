"""Secrets of the local stack, made once and kept in the data folder; and how any secret is made."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenantry.database_urls import SERVICES, Passwords
from tenantry.project import write_private

SECRET_BYTES = 36
# Called over the network by people's tools, and by tenancy.
KEY_NAMES = ("operator", "tenancy")


def make_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def service_key_entry(key: str) -> str:
    """What SERVICE_KEYS holds for the key `name.secret`."""
    name, _, secret = key.partition(".")
    return f"{name}:{hashlib.sha256(secret.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class LocalSecrets:
    superuser_password: str
    database_passwords: dict[str, dict[str, str]]  # of the service and of the owner, by service
    session_secret: str  # or several, separated by commas: the first signs
    service_keys: dict[str, str]  # name.secret by name
    factor_secret: str

    def passwords(self) -> dict[str, Passwords]:
        return {service: Passwords(**given) for service, given in self.database_passwords.items()}

    def entries(self, *names: str) -> str:
        return ",".join(service_key_entry(self.service_keys[name]) for name in names)


def load_or_make(path: Path) -> LocalSecrets:
    if path.exists():
        kept = json.loads(path.read_text())
        if "factor_secret" not in kept:  # made before there were second factors
            kept["factor_secret"] = make_secret()
            write_private(path, json.dumps(kept, indent=2) + "\n")
        return LocalSecrets(**kept)
    made = LocalSecrets(
        superuser_password=make_secret(),
        database_passwords={s: {"service": make_secret(), "owner": make_secret()} for s in SERVICES},
        session_secret=make_secret(),
        service_keys={name: f"{name}.{make_secret()}" for name in KEY_NAMES},
        factor_secret=make_secret(),
    )
    write_private(path, json.dumps({name: getattr(made, name) for name in made.__slots__}, indent=2) + "\n")
    return made


def split(secrets: str) -> list[str]:
    return [secret.strip() for secret in secrets.split(",") if secret.strip()]


def write_session_secrets(path: Path, secrets: Sequence[str]) -> None:
    held = json.loads(path.read_text())
    write_private(path, json.dumps({**held, "session_secret": ",".join(secrets)}, indent=2) + "\n")
