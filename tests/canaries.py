"""All secrets that the suite's services handle, and all that they say: in the end none of the first is in the second.

The services run in this process, so what they hash, make and answer can be noted as it passes.
"""

import io
import logging
import re
import sys
from collections.abc import Callable
from typing import Any

import pyotp
import structlog

import shared.guard
from identity_service import tokens
from identity_service.passwords import Passwords
from shared import one_time

SHORTEST = 12  # a shorter secret stands in ordinary words
WORD = re.compile(r"[A-Za-z0-9_-]+")
BETWEEN = re.compile(r"[^A-Za-z0-9_-]+")


class Canaries:
    """`secrets` are those seen so far; `said()` is every log line and every error's text, whole."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self._said = io.StringIO()

    def said(self) -> str:
        return self._said.getvalue()

    def write(self, text: str) -> None:
        """As a log's file. Only what a person should look at goes on to the terminal."""
        self._said.write(text)
        if '"level": "info"' not in text:
            sys.stderr.write(text)

    def flush(self) -> None:
        self._said.flush()

    def note(self, secret: object) -> None:
        if isinstance(secret, str) and len(secret) >= SHORTEST and len(set(secret)) > 5:
            self.secrets.add(secret)

    def listen(self) -> None:
        """From now on, for as long as this process lives."""
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(self))  # type: ignore[arg-type]
        logging.getLogger().addHandler(logging.StreamHandler(self._said))
        self._note_argument(Passwords, "hash")
        self._note_argument(Passwords, "verify")
        self._note_result(one_time, "make_token")
        self._note_result(tokens, "make_sid")
        self._note_result(pyotp, "random_base32")
        answer = vars(shared.guard)["to_status"]

        def to_status(error: Any) -> Any:
            status = answer(error)
            self._said.write(f"{status.details}\n{status.trailing_metadata}\n")
            return status

        vars(shared.guard)["to_status"] = to_status

    def found_in(self, text: str) -> set[str]:
        """Thousands of them in megabytes: each is looked for only where all its inner words are words of the text."""
        words = set(WORD.findall(text))
        return {secret for secret in self.secrets if _may_be_among(words, secret) and secret in text}

    def _note_argument(self, owner: type, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def noting(it: Any, secret: str, *others: Any) -> Any:
            self.note(secret)
            return original(it, secret, *others)

        setattr(owner, name, noting)

    def _note_result(self, owner: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def noting(*given: Any, **named: Any) -> Any:
            secret = original(*given, **named)
            self.note(secret)
            return secret

        setattr(owner, name, noting)


def _may_be_among(words: set[str], secret: str) -> bool:
    """Its first and last word may be parts of longer ones; a single word is not looked for inside others."""
    first, *rest = BETWEEN.split(secret)
    return all(word in words for word in (rest[:-1] if rest else [first]))
