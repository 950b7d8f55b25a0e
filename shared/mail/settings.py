"""Settings of whoever sends mails."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, DirectoryPath, Field, SecretStr, ValidationInfo, field_validator

from shared.mail.message import NotDeliveredError, in_ascii
from shared.mail.smtp import SmtpServer, read_smtp_url
from shared.mail.texts import Templates, check_templates
from shared.settings import CommonSettings

NO_SENDER = "no-reply@localhost"


def check_link(value: str) -> str:
    if value and (not value.startswith(("https://", "http://")) or value.count("{token}") != 1):
        raise ValueError("needs an http(s) address with {token} in it once, best behind a #")
    return value


def check_smtp_url(value: SecretStr) -> SecretStr:
    read_smtp_url(value.get_secret_value())
    return value


def check_line(value: str) -> str:
    if not value.isprintable() or value != value.strip():
        raise ValueError("needs printable characters, without space around them")
    return value


Link = Annotated[str, AfterValidator(check_link)]
Line = Annotated[str, AfterValidator(check_line)]
SmtpUrl = Annotated[SecretStr, AfterValidator(check_smtp_url)]


class MailSettings(CommonSettings):
    """`templates` are those of the service, which a folder of the operator's own may replace."""

    templates: ClassVar[Templates]

    product_name: Line = Field("Tenantry", alias="PRODUCT_NAME", min_length=1, max_length=60, examples=["Acme"])
    mail_from: str = Field(NO_SENDER, alias="MAIL_FROM", max_length=254, examples=["no-reply@example.com"])
    smtp_url: SmtpUrl | None = Field(None, alias="SMTP_URL", examples=["smtp://user:password@mail.example.com:587"])
    mail_folder: Path = Field(Path(".tenantry/mail"), alias="MAIL_FOLDER", examples=["/var/lib/tenantry/mail"])
    mail_templates: DirectoryPath | None = Field(None, alias="MAIL_TEMPLATES", examples=["/etc/tenantry/mail"])

    @field_validator("mail_from")
    @classmethod
    def _an_address(cls, address: str) -> str:
        try:
            return address if address == NO_SENDER else in_ascii(address)
        except NotDeliveredError:
            raise ValueError("not an email address") from None

    @field_validator("smtp_url")
    @classmethod
    def _has_a_sender(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url and info.data.get("mail_from") == NO_SENDER:
            raise ValueError("needs a MAIL_FROM too")
        return url

    @field_validator("mail_templates")
    @classmethod
    def _can_be_sent(cls, folder: Path | None) -> Path | None:
        if folder is not None:
            check_templates(cls.templates, folder)
        return folder

    @property
    def smtp_server(self) -> SmtpServer | None:
        return read_smtp_url(self.smtp_url.get_secret_value()) if self.smtp_url else None
