"""The mails of tenancy, and what each hands out."""

from typing import Literal, TypeAlias

from shared.mail.texts import Templates

Template: TypeAlias = Literal["invitation"]

# What a template's link leads to.
INVITATION = "invitation"
LINKS = {"invitation": INVITATION}
SAMPLE = {"organization": "Acme", "role": "member", "expires": "29 November 2026, 20:15 UTC"}

TEMPLATES = Templates("tenancy_service.mail", LINKS, (), (SAMPLE,))
