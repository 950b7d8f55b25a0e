"""Every environment variable of identity, typed and checked at start."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from shared.settings import CommonSettings, Switch, refuse_weak_secret, split_on_commas

MAX_SECRETS = 5


def check_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    values = [secret.get_secret_value() for secret in secrets]
    if not 1 <= len(values) <= MAX_SECRETS:
        raise ValueError(f"{len(values)} secrets, 1 to {MAX_SECRETS} are allowed, separated by commas")
    for place, value in enumerate(values, 1):
        try:
            refuse_weak_secret(value)
        except ValueError as wrong:
            raise ValueError(f"secret {place} is {wrong}") from None
    if len(set(values)) < len(values):
        raise ValueError("the same secret twice")
    return secrets


# NoDecode: pydantic-settings would read JSON first, and a failure there hides every other wrong setting.
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split_on_commas), AfterValidator(check_secrets)]


class Settings(CommonSettings):
    """The first of `session_secrets` signs, all verify; times are in seconds."""

    session_secrets: Secrets = Field(
        validation_alias=AliasChoices("SESSION_SECRETS", "SESSION_SECRET"),
        examples=["<48 random characters>,<the one before it>"],
    )
    session_idle_seconds: int = Field(1800, alias="SESSION_IDLE_SECONDS", ge=1, examples=["1800"])
    session_absolute_seconds: int = Field(
        43200, alias="SESSION_ABSOLUTE_SECONDS", ge=1, le=366 * 86400, examples=["43200"]
    )
    sign_up: Switch = Field(True, alias="SIGN_UP", examples=["on"])
    password_minimum: int = Field(15, alias="PASSWORD_MINIMUM", ge=8, le=64, examples=["15"])
    listen_address: str = Field(
        "127.0.0.1:50051", alias="LISTEN_ADDRESS", pattern=r"^(unix:.+|.+:\d+)$", examples=["127.0.0.1:50051"]
    )

    @field_validator("session_absolute_seconds")
    @classmethod
    def _not_before_idle(cls, absolute: int, info: ValidationInfo) -> int:
        if absolute < info.data.get("session_idle_seconds", 0):
            raise ValueError("less than SESSION_IDLE_SECONDS")
        return absolute

    @property
    def idle(self) -> timedelta:
        return timedelta(seconds=self.session_idle_seconds)

    @property
    def absolute(self) -> timedelta:
        return timedelta(seconds=self.session_absolute_seconds)

    @property
    def secret_bytes(self) -> tuple[bytes, ...]:
        """As express-session uses them: the text's UTF-8, not decoded."""
        return tuple(secret.get_secret_value().encode() for secret in self.session_secrets)
