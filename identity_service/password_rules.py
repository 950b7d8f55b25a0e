"""Which new passwords are taken (NIST SP 800-63B-4, ASVS 6.2)."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from identity_service.common_passwords import common_passwords
from identity_service.settings import Settings
from shared.fields import Fields

LITTLE = 5  # fewer characters than these beside the account's own texts do not make a password
LETTERS = re.compile(r"[^\W\d_]{3,}")
SEQUENCES = (
    "abcdefghijklmnopqrstuvwxyz", "12345678901",
    "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiopü", "asdfghjklöä", "yxcvbnm", "azertyuiop", "qsdfghjklm", "wxcvbn",
    "1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik", "9ol", "147", "258", "369",
)  # fmt: skip
ONWARDS = {one + next_ for row in SEQUENCES for one, next_ in pairwise(row)}
NEIGHBOURS = ONWARDS | {pair[::-1] for pair in ONWARDS}


class NewPassword(NamedTuple):
    """`is_short`: it may only stand beside a second factor."""

    text: str
    is_short: bool


class PasswordRules:
    def __init__(self, settings: Settings) -> None:
        self._minimum = settings.password_minimum
        self._minimum_with_second_factor = settings.password_minimum_with_second_factor
        self._common = common_passwords(settings.common_passwords)
        self._product = settings.product_name

    def read(
        self, read: Fields, path: str, value: str, *, has_second_factor: bool = False, about: Sequence[str] = ()
    ) -> NewPassword:
        """The password in NFC, or what is wrong with it noted in `read`.

        `about` are texts of the account that a password must not be made of: its address, its name.
        """
        least, when = self._minimum, "without a second factor"
        if has_second_factor and self._minimum_with_second_factor < least:
            least, when = self._minimum_with_second_factor, "with a second factor"
        text = read.password(path, value, least=least, when=when)
        if len(text) >= least and (wrong := self._too_common(text.lower(), about)):
            read.wrong(path, f"too common: {wrong}")
        return NewPassword(text, len(text) < self._minimum)

    def _too_common(self, text: str, about: Sequence[str]) -> str | None:
        if self._is_guessed_first(text):
            return "among the passwords that are tried first, or such a one with digits and signs around it"
        if repeats_itself(text):
            return "the same again and again"
        if is_sequence(text):
            return "made of letters or digits in a row"
        rest = without(text, own_words((*about, self._product)))
        if rest != text and (len(letters_of(rest)) < LITTLE or self._is_guessed_first(rest) or is_sequence(rest)):
            return "made of the account's address or name, or of the product's name"
        return None

    def _is_guessed_first(self, text: str) -> bool:
        return text in self._common or letters_of(text) in self._common


def letters_of(text: str) -> str:
    """Without the digits and signs around it."""
    letters = [place for place, character in enumerate(text) if character.isalpha()]
    return text[letters[0] : letters[-1] + 1] if letters else ""


def repeats_itself(text: str) -> bool:
    """Whether it is one unit, at least twice but for an end that may be cut off; also with digits and signs around."""
    inner = letters_of(text)
    return _has_period(text) or (len(inner) * 2 > len(text) and _has_period(inner))


def _has_period(text: str) -> bool:
    return any(text[length:] == text[:-length] for length in range(1, (len(text) + 1) // 2 + 1))


def is_sequence(text: str) -> bool:
    """Whether three of four steps go to a neighbour on the keyboard, in the alphabet or among the digits."""
    steps = [one + next_ for one, next_ in pairwise(text)]
    jumps = sum(step not in NEIGHBOURS and step[0] != step[1] for step in steps)
    return jumps * 4 <= len(steps)


def own_words(about: Iterable[str]) -> list[str]:
    """An address' two sides and each run of letters, longest first; what is shorter than 3 is in any password."""
    sides = [side for text in about for side in text.lower().split("@") if len(side) > 2]
    return sorted({*sides, *(word for side in sides for word in LETTERS.findall(side))}, key=len, reverse=True)


def without(text: str, words: Iterable[str]) -> str:
    for word in words:
        text = text.replace(word, "")
    return text
