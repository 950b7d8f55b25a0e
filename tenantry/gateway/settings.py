"""Settings of the gateway, from the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.settings import split_on_commas
from tenantry.gateway.apis import Address, read_address


def read_addresses(value: object) -> object:
    return tuple(map(Address.read, split_on_commas(value))) if isinstance(value, str) else value  # type: ignore[call-overload]


LOOPBACK, EVERYWHERE = ("127.0.0.1", "localhost"), ("0.0.0.0", "::")  # noqa: S104
Addresses = Annotated[tuple[Address, ...], NoDecode, BeforeValidator(read_addresses)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_on_commas)]


class GatewaySettings(BaseSettings):
    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, env_ignore_empty=True, case_sensitive=True
    )

    address: Annotated[Address, NoDecode, BeforeValidator(read_address)] = Field(
        Address("127.0.0.1", 8080), alias="GATEWAY_ADDRESS", examples=["0.0.0.0:8080"]
    )
    identity: Addresses = Field((Address("127.0.0.1", 50051),), alias="IDENTITY_ADDRESSES", min_length=1)
    tenancy: Addresses = Field((Address("127.0.0.1", 50052),), alias="TENANCY_ADDRESSES", min_length=1)
    origins: Origins = Field((), alias="GATEWAY_ORIGINS", examples=["https://app.example.com"])
    certificate: Path | None = Field(None, alias="GATEWAY_CERTIFICATE", examples=["/etc/tenantry/tls.crt"])
    private_key: Path | None = Field(None, alias="GATEWAY_PRIVATE_KEY", examples=["/etc/tenantry/tls.key"])
    behind_tls: bool = Field(False, alias="GATEWAY_BEHIND_TLS", examples=["on"])
    trusted_hops: int = Field(0, alias="GATEWAY_TRUSTED_HOPS", ge=0, le=10, examples=["1"])
    threads: int = Field(0, alias="GATEWAY_THREADS", ge=0, le=256, examples=["2"])
    apis: Path | None = Field(None, alias="GATEWAY_APIS", examples=["apis.toml"])
    session_cookie_name: str = Field("connect.sid", alias="SESSION_COOKIE_NAME", pattern=r"^[A-Za-z0-9_.-]+$")

    @model_validator(mode="after")
    def has_both_or_none(self) -> "GatewaySettings":
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("GATEWAY_CERTIFICATE and GATEWAY_PRIVATE_KEY go together")
        return self

    @property
    def url(self) -> str:
        """Of the gateway itself; browsers may know it by another name."""
        return f"{'https' if self.certificate else 'http'}://{self.address}"

    @property
    def over_tls(self) -> bool:
        """Whether browsers reach it so, if need be by way of a balancer."""
        return self.certificate is not None or self.behind_tls

    @property
    def own_origins(self) -> tuple[str, ...]:
        """Of the pages that the gateway itself shows, as far as it knows its names."""
        scheme, usual = ("https", 443) if self.certificate else ("http", 80)
        port = "" if self.address.port == usual else f":{self.address.port}"
        hosts = ("127.0.0.1", "localhost") if self.address.host in LOOPBACK else (self.address.host,)
        return tuple(f"{scheme}://{host}{port}" for host in hosts if host not in EVERYWHERE)
