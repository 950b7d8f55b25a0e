"""Every environment variable of tenancy, typed and checked at start."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from shared.mail.settings import Link, MailSettings
from tenancy_service.mail.texts import INVITATION, TEMPLATES
from tenancy_service.permissions import BUILT_IN, LeastRole
from tenancy_service.permissions_file import read_permissions


def permissions_from(value: object) -> object:
    return read_permissions(Path(value)) if isinstance(value, str) else value


Permissions = Annotated[Mapping[str, LeastRole], NoDecode, BeforeValidator(permissions_from)]


class Settings(MailSettings):
    templates = TEMPLATES

    listen_address: str = Field(
        "127.0.0.1:50052", alias="LISTEN_ADDRESS", pattern=r"^(unix:.+|.+:\d+)$", examples=["127.0.0.1:50052"]
    )
    identity_address: str = Field("127.0.0.1:50051", alias="IDENTITY_ADDRESS", examples=["identity:50051"])
    identity_service_key: SecretStr = Field(alias="IDENTITY_SERVICE_KEY", examples=["tenancy.<secret>"])
    # Of the whole identity call, retries included; a caller's shorter deadline counts for that caller alone.
    identity_timeout_seconds: float = Field(0.3, alias="IDENTITY_TIMEOUT_SECONDS", gt=0, le=5, examples=["0.3"])
    permissions: Permissions = Field(dict(BUILT_IN), alias="PERMISSIONS_FILE", examples=["permissions.toml"])
    organizations_per_user: int = Field(100, alias="ORGANIZATIONS_PER_USER", ge=1, le=100_000, examples=["100"])
    members_per_organization: int = Field(
        10_000, alias="MEMBERS_PER_ORGANIZATION", ge=1, le=1_000_000, examples=["10000"]
    )
    projects_per_organization: int = Field(
        1_000, alias="PROJECTS_PER_ORGANIZATION", ge=1, le=1_000_000, examples=["1000"]
    )
    pending_invitations_per_organization: int = Field(
        500, alias="PENDING_INVITATIONS_PER_ORGANIZATION", ge=1, le=100_000, examples=["500"]
    )
    invitation_days: int = Field(7, alias="INVITATION_DAYS", ge=1, le=365, examples=["7"])
    invitation_url: Link = Field(
        "", alias="INVITATION_URL", examples=["https://app.example.com/invitation#token={token}"]
    )
    organization_purge_days: int = Field(30, alias="ORGANIZATION_PURGE_DAYS", ge=0, le=3650, examples=["30"])
    project_purge_days: int = Field(30, alias="PROJECT_PURGE_DAYS", ge=0, le=3650, examples=["30"])

    @property
    def links(self) -> dict[str, str]:
        return {INVITATION: self.invitation_url}
