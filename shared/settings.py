"""Settings that both services have, and how any are loaded: typed, frozen, all wrong ones named at once."""

import re
import sys
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SECRET_BYTES = 32
HEX_SHA256 = re.compile("[0-9a-fA-F]{64}")
SAMPLES = ("changeme", "keyboard cat", "secret", "example", "your-secret")


def split_on_commas(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def read_service_keys(value: object) -> object:
    """`billing:<sha256 hex>,operator:<sha256 hex>` as a mapping of names to digests."""
    if not isinstance(value, str):
        return value
    keys: dict[str, bytes] = {}
    for part in split_on_commas(value):  # type: ignore[attr-defined]
        name, _, digest = part.partition(":")
        if not name or "." in name or len(digest) != 64 or name in keys:
            raise ValueError("needs name:sha256-in-hex pairs with different names, separated by commas")
        if not HEX_SHA256.fullmatch(digest):  # bytes.fromhex would skip spaces
            raise ValueError(f"the digest of {name} is not hexadecimal")
        keys[name] = bytes.fromhex(digest)
    return keys


def refuse_weak_secret(secret: str) -> None:
    """ASVS 13.3.1: at least 32 bytes, and not one from a tutorial."""
    if len(secret.encode()) < SECRET_BYTES:
        raise ValueError(f"shorter than {SECRET_BYTES} bytes")
    repeats_itself = secret in (secret * 2)[1:-1]
    if any(sample in secret.lower() for sample in SAMPLES) or len(set(secret)) < 10 or repeats_itself:
        raise ValueError("a sample or too regular to be random")


def read_networks(value: object) -> object:
    try:
        return tuple(ip_network(part) for part in split_on_commas(value)) if isinstance(value, str) else value  # type: ignore[attr-defined]
    except ValueError:
        raise ValueError("needs networks such as 10.0.0.0/8 or addresses, separated by commas") from None


ServiceKeys = Annotated[dict[str, bytes], NoDecode, BeforeValidator(read_service_keys)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(read_networks)]
Switch = bool


class CommonSettings(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True, case_sensitive=True
    )

    database_url: SecretStr = Field(alias="DATABASE_URL", examples=["postgresql://identity:password@db/identity"])
    listen_address: str = Field("", alias="LISTEN_ADDRESS", examples=["127.0.0.1:50051"])  # each service has its own
    database_pool_size: int = Field(10, alias="DATABASE_POOL_SIZE", ge=1, le=200, examples=["10"])
    service_keys: ServiceKeys = Field({}, alias="SERVICE_KEYS", examples=["billing:<sha256 of its secret>"])
    session_cookie_name: str = Field("connect.sid", alias="SESSION_COOKIE_NAME", pattern=r"^[A-Za-z0-9_.-]+$")
    trusted_proxies: Networks = Field((), alias="TRUSTED_PROXIES", examples=["10.0.0.0/8"])
    events_keep_days: int = Field(30, alias="EVENTS_KEEP_DAYS", ge=1, le=3650, examples=["30"])
    metrics_address: str = Field("", alias="METRICS_ADDRESS", pattern=r"^(.+:\d+)?$", examples=["127.0.0.1:9464"])
    reflection: Switch = Field(False, alias="REFLECTION", examples=["on"])
    batching: Switch = Field(True, alias="BATCHING", examples=["on"])
    gather_seconds: float = Field(0.0003, alias="GATHER_SECONDS", ge=0, le=0.01, examples=["0.0003"])
    gather_most_seconds: float = Field(0.012, alias="GATHER_MOST_SECONDS", ge=0, le=0.1, examples=["0.012"])
    max_calls_under_way: int = Field(256, alias="MAX_CALLS_UNDER_WAY", ge=8, le=10_000, examples=["256"])
    connection_age_seconds: int = Field(60, alias="CONNECTION_AGE_SECONDS", ge=1, le=86400, examples=["60"])
    grace_seconds: float = Field(10, alias="GRACE_SECONDS", ge=0, le=300, examples=["10"])
    workers: int = Field(1, alias="WORKERS", ge=1, le=64, examples=["2"])
    worker_port_step: int = Field(100, alias="WORKER_PORT_STEP", ge=1, le=10_000, examples=["100"])
    # A supervisor sets these two for each of its workers: its number from 1 on, and the address that is its alone.
    worker: int = Field(0, alias="WORKER", ge=0, le=64, examples=["1"])
    worker_address: str = Field("", alias="WORKER_ADDRESS", pattern=r"^(.+:\d+)?$", examples=["127.0.0.1:50151"])
    log_level: str = Field("INFO", alias="LOG_LEVEL", pattern="^(DEBUG|INFO|WARNING|ERROR)$", examples=["INFO"])


Settings = TypeVar("Settings", bound=BaseSettings)


def load(settings: type[Settings], **given: Any) -> Settings:
    """From the environment, but for what is given; or name all that is wrong, never a value, and exit with status 2."""
    try:
        return settings(**given)
    except ValidationError as wrong:
        sys.stderr.write(f"{describe(settings, wrong)}\n")
        sys.exit(2)


def describe(settings: type[BaseSettings], wrong: ValidationError) -> str:
    errors = wrong.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{len(errors)} setting{'s are' if len(errors) > 1 else ' is'} wrong:"]
    examples = {
        name: field.examples
        for _, field in settings.model_fields.items()
        for name in _names(field.alias, field.validation_alias)
    }
    for error in errors:
        name = str(error["loc"][0]) if error["loc"] else "together"
        what = "missing" if error["type"] == "missing" else error["msg"].removeprefix("Value error, ")
        example = examples.get(name)
        lines.append(f"  {name}: {what}" + (f"; for example {name}={example[0]}" if example else ""))
    lines.append("make secrets and keys with: tenantry secrets make, tenantry keys make-service-key NAME")
    return "\n".join(lines)


def _names(*aliases: object) -> list[str]:
    names: list[str] = []
    for alias in aliases:
        if isinstance(alias, str):
            names.append(alias)
        elif isinstance(alias, AliasChoices):
            names.extend(str(choice) for choice in alias.choices)
    return names
