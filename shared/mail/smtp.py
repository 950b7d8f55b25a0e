"""Hand mails over to an SMTP server: over TLS, one connection for many."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
)  # fmt: skip

from shared.mail.delivery import Deliver
from shared.mail.message import Mail, NotDeliveredError

TIMEOUT = 10.0  # seconds for each answer of the server
GOODBYE = 1.0
PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """`tls` from the first byte, or after `starttls`, or not at all."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool
    starttls: bool


def read_smtp_url(url: str) -> SmtpServer:
    """`smtp://user:password@host:587` with STARTTLS, `smtps://…` with TLS, `smtp://host:25?starttls=off` without.

    ValueError without the URL's parts, as there is a password in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("not a URL with a host and a port") from None
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.fragment:
        raise ValueError("needs smtp://user:password@host:port, or smtps:// for TLS from the start")
    if parts.query not in ("", "starttls=off"):
        raise ValueError("knows no other option than ?starttls=off")
    user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    if bool(user) != bool(password):
        raise ValueError("needs a user and a password, or neither")
    is_plain = parts.query == "starttls=off"
    if is_plain and (user or parts.scheme == "smtps"):
        raise ValueError("starttls=off is for relays nearby: with smtp:// and without a password")
    tls = parts.scheme == "smtps"
    return SmtpServer(parts.hostname, port or PORTS[parts.scheme], user, password, tls, not tls and not is_plain)


class Smtp:
    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Deliver]:
        """Connects with the first mail, and again if the server has hung up."""
        s = self._server
        client = SMTP(
            hostname=s.host, port=s.port, username=s.user, password=s.password,
            use_tls=s.tls, start_tls=s.starttls, timeout=TIMEOUT,
        )  # fmt: skip

        async def deliver(mail: Mail) -> None:
            await connect(client)
            await send(client, mail)

        try:
            yield deliver
        finally:
            if client.is_connected:
                with suppress(SMTPException, OSError):
                    await client.quit(timeout=GOODBYE)
            client.close()


async def connect(client: SMTP) -> None:
    """With STARTTLS and login. What fails here is no mail's fault: a wrong password must not kill mails."""
    if client.is_connected:
        return
    try:
        await client.connect()
    except (SMTPException, OSError, ValueError) as error:  # a bad certificate is an OSError
        raise NotDeliveredError(described(error), is_away=True) from error


async def send(client: SMTP, mail: Mail) -> None:
    """Only what the server says of the recipient or the contents can be final."""
    try:
        await client.send_message(mail.message)
    except SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        raise NotDeliveredError(described(refused), is_final=refused.code >= 500) from error
    except SMTPDataError as error:
        raise NotDeliveredError(described(error), is_final=error.code >= 500) from error
    except (SMTPException, OSError) as error:
        raise NotDeliveredError(described(error), is_away=True) from error


def described(error: Exception) -> str:
    if isinstance(error, SMTPResponseException):
        return f"{type(error).__name__}: {error.code} {error.message}"
    return f"{type(error).__name__}: {error}"
