"""What a service has written to its MAIL_FOLDER, as the people read it that the mails are for."""

import asyncio
import email
import email.policy
import re
import time
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from shared.mail.delivery import safe
from shared.mail.message import in_ascii

# The secret of a link or a code: 43 url-safe characters, wherever the link has it.
TOKEN = re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])", re.ASCII)
LOOK_EVERY = 0.01
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Mail:
    template: str
    subject: str
    text: str
    html: str
    message: EmailMessage
    path: Path

    @property
    def token(self) -> str:
        """AssertionError if it hands out none, or more than one."""
        found: set[str] = set(TOKEN.findall(self.text))
        assert len(found) == 1, f"{len(found)} tokens in a mail of {self.template}"
        return found.pop()


class Mailbox:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def mails(self, address: str, template: str | None = None) -> list[Mail]:
        """What has come so far, oldest first."""
        ending = f"-{safe(address)}.eml".lower()
        found = [read(path) for path in sorted(self._folder.glob("*.eml")) if path.name.lower().endswith(ending)]
        return [mail for mail in found if is_for(mail, address) and template in (None, mail.template)]

    async def newest(
        self, address: str, template: str | None = None, *, after: Mail | None = None, seconds: float = SECONDS
    ) -> Mail:
        """Waits for one to come; with `after` for a later one than that."""
        deadline = time.monotonic() + seconds
        while True:
            mails = self.mails(address, template)
            if mails and (after is None or mails[-1].path.name > after.path.name):
                return mails[-1]
            assert time.monotonic() < deadline, f"no mail {template or ''} came in {seconds:.0f} s"
            await asyncio.sleep(LOOK_EVERY)


def is_for(mail: Mail, address: str) -> bool:
    return str(mail.message["To"]).lower() == in_ascii(address).lower()


def read(path: Path) -> Mail:
    message = email.message_from_bytes(path.read_bytes(), EmailMessage, policy=email.policy.default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    template = path.name.split("-")[1]
    return Mail(template, str(message["Subject"]), text.get_content(), html.get_content(), message, path)
