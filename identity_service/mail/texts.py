"""The mails of identity, and what each hands out."""

from typing import Literal, TypeAlias

from shared.mail.texts import Templates

Template: TypeAlias = Literal[
    "sign_up",
    "verify_email",
    "reset_password",
    "change_email",
    "email_change_started",
    "email_changed",
    "password_changed",
    "second_factor_changed",
]

# What a template's link leads to.
VERIFY, RESET = "verify", "reset"
LINKS = {"sign_up": VERIFY, "verify_email": VERIFY, "change_email": VERIFY, "reset_password": RESET}
NOTICES = ("already_registered", "email_change_started", "email_changed", "password_changed", "second_factor_changed")
NAMES = (*LINKS, *NOTICES)

TEMPLATES = Templates("identity_service.mail", LINKS, NOTICES, ({"ip": ""}, {"ip": "203.0.113.7"}))
