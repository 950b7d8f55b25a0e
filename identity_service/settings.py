"""Every environment variable of identity, typed and checked at start."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    FilePath,
    SecretStr,
    ValidationInfo,
    field_validator,
)  # fmt: skip
from pydantic_settings import NoDecode

from identity_service.common_passwords import common_passwords
from identity_service.mail.texts import RESET, TEMPLATES, VERIFY
from shared.mail.settings import Link, MailSettings
from shared.settings import Switch, refuse_weak_secret, split_on_commas

MAX_SECRETS = 5


def check_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    values = [secret.get_secret_value() for secret in secrets]
    if len(values) > MAX_SECRETS:
        raise ValueError(f"{len(values)} secrets, 1 to {MAX_SECRETS} are allowed, separated by commas")
    for place, value in enumerate(values, 1):
        try:
            refuse_weak_secret(value)
        except ValueError as wrong:
            raise ValueError(f"secret {place} is {wrong}") from None
    if len(set(values)) < len(values):
        raise ValueError("the same secret twice")
    return secrets


def check_number(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if not secrets:
        raise ValueError(f"0 secrets, 1 to {MAX_SECRETS} are allowed, separated by commas")
    return secrets


def check_words(path: Path) -> Path:
    common_passwords(path)
    return path


# NoDecode: pydantic-settings would read JSON first, and a failure there hides every other wrong setting.
AnySecrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(split_on_commas), AfterValidator(check_secrets)]
Secrets = Annotated[AnySecrets, AfterValidator(check_number)]
Words = Annotated[FilePath, AfterValidator(check_words)]


class Settings(MailSettings):
    """The first of `session_secrets` signs, all verify; times are in seconds."""

    templates = TEMPLATES

    session_secrets: Secrets = Field(
        validation_alias=AliasChoices("SESSION_SECRETS", "SESSION_SECRET"),
        examples=["<48 random characters>,<the one before it>"],
    )
    session_idle_seconds: int = Field(1800, alias="SESSION_IDLE_SECONDS", ge=1, examples=["1800"])
    session_absolute_seconds: int = Field(
        43200, alias="SESSION_ABSOLUTE_SECONDS", ge=1, le=366 * 86400, examples=["43200"]
    )
    sessions_per_user: int = Field(20, alias="SESSIONS_PER_USER", ge=1, le=1000, examples=["20"])
    reauthentication_seconds: int = Field(300, alias="REAUTHENTICATION_SECONDS", ge=10, le=86400, examples=["300"])
    sign_up: Switch = Field(True, alias="SIGN_UP", examples=["on"])
    password_minimum: int = Field(15, alias="PASSWORD_MINIMUM", ge=8, le=64, examples=["15"])
    password_minimum_with_second_factor: int = Field(
        8, alias="PASSWORD_MINIMUM_WITH_SECOND_FACTOR", ge=8, le=64, examples=["8"]
    )
    common_passwords: Words | None = Field(None, alias="COMMON_PASSWORDS", examples=["/etc/tenantry/common.txt"])
    factor_secrets: AnySecrets = Field((), alias="FACTOR_SECRETS", examples=["<48 random characters>"])
    user_purge_days: int = Field(30, alias="USER_PURGE_DAYS", ge=0, le=3650, examples=["30"])
    verify_email_url: Link = Field(
        "", alias="VERIFY_EMAIL_URL", examples=["https://app.example.com/verify#token={token}"]
    )
    reset_password_url: Link = Field(
        "", alias="RESET_PASSWORD_URL", examples=["https://app.example.com/reset#token={token}"]
    )
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
    def links(self) -> dict[str, str]:
        return {VERIFY: self.verify_email_url, RESET: self.reset_password_url}

    @property
    def idle(self) -> timedelta:
        return timedelta(seconds=self.session_idle_seconds)

    @property
    def absolute(self) -> timedelta:
        return timedelta(seconds=self.session_absolute_seconds)

    @property
    def reauthentication(self) -> timedelta:
        return timedelta(seconds=self.reauthentication_seconds)

    @property
    def purge_after(self) -> timedelta:
        return timedelta(days=self.user_purge_days)

    @property
    def secret_bytes(self) -> tuple[bytes, ...]:
        """As express-session uses them: the text's UTF-8, not decoded."""
        return tuple(secret.get_secret_value().encode() for secret in self.session_secrets)
