"""Which new passwords are taken (NIST SP 800-63B-4, ASVS 6.2)."""

from collections.abc import Sequence
from typing import NamedTuple

from identity_service.settings import Settings
from shared.fields import Fields


class NewPassword(NamedTuple):
    """`is_short`: it may only stand beside a second factor."""

    text: str
    is_short: bool


class PasswordRules:
    def __init__(self, settings: Settings) -> None:
        self._minimum = settings.password_minimum
        self._minimum_with_second_factor = settings.password_minimum_with_second_factor

    def read(
        self, read: Fields, path: str, value: str, *, has_second_factor: bool = False, about: Sequence[str] = ()
    ) -> NewPassword:
        """The password in NFC, or what is wrong with it noted in `read`.

        `about` are texts of the account that a password must not be made of: its address, its name.
        """
        least = min(self._minimum, self._minimum_with_second_factor) if has_second_factor else self._minimum
        text = read.password(path, value, least=least)
        return NewPassword(text, len(text) < self._minimum)
