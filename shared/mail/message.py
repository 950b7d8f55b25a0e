"""A mail that is ready to be handed over, and how that fails."""

from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import localtime, make_msgid

from email_validator import EmailNotValidError, validate_email

from shared.mail.texts import Rendered


class NotDeliveredError(Exception):
    """`is_final`: it never will be. `is_away`: neither would the next one be now."""

    def __init__(self, why: str, *, is_final: bool = False, is_away: bool = False) -> None:
        super().__init__(why)
        self.is_final, self.is_away = is_final, is_away


@dataclass(frozen=True, slots=True)
class Mail:
    """`template` is the one it was made from: not always the row's."""

    template: str
    address: str
    message: EmailMessage


def make_message(rendered: Rendered, *, product_name: str, sender: str, address: str) -> EmailMessage:
    """RFC 5322, with RFC 3834's header; a line break in any header is a ValueError."""
    message = EmailMessage()
    message["From"] = Address(product_name, addr_spec=sender)
    message["To"] = Address(addr_spec=in_ascii(address))
    message["Subject"] = rendered.subject
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    return message


def in_ascii(address: str) -> str:
    """With the domain as mail servers take it (RFC 5890)."""
    try:
        checked = validate_email(address, check_deliverability=False, allow_smtputf8=False, globally_deliverable=False)
    except EmailNotValidError:
        raise NotDeliveredError("no mail can be sent to such an address", is_final=True) from None
    return checked.ascii_email or address
