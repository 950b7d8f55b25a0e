"""Filters of lists as AIP-160 writes them, read straight into SQLAlchemy expressions.

OR binds tighter than AND, and terms side by side mean AND. What is wrong is told with its position, never
with the text itself.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, not_, or_

from shared.fields import UUID_TEXT, Fields

MAX_LENGTH = 1000
MAX_TOKENS = 60  # bounds the recursion too
KEYWORDS = ("AND", "OR", "NOT")
END = ""
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
# PostgreSQL takes no text with a NUL in it, so a NUL is in no token.
TOKEN = re.compile(
    r"""(?:(?P<quoted>"(?:[^"\\\0]|\\[^\0])*"|'(?:[^'\\\0]|\\[^\0])*')"""
    r"""|(?P<sign>[<>!]=|[=<>()])|(?P<word>[^\s()"'=<>!\0]+))\s*"""
)
PREFIX = re.compile(r"((?:[^\\*]|\\.)*)\*", re.DOTALL)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
LIKE_SIGN = re.compile(r"[\\%_]")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """What may be asked of a column: `reader` turns a text into its value or raises ValueError with what is needed.

    With `has_prefixes` (texts only) a value may end with a *: those that begin with it.
    """

    column: ColumnElement[Any]
    reader: Callable[[str], object]
    operators: str = "= !="
    has_prefixes: bool = False


def time(text: str) -> datetime:
    try:
        if RFC_3339.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("a time with a zone is needed, such as 2026-01-31T00:00:00Z")


def uuid(text: str) -> UUID:
    if UUID_TEXT.fullmatch(text):
        return UUID(text)
    raise ValueError("a UUID of 36 characters is needed")


def boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("true or false is needed")
    return text == "true"


def one_of(*names: str) -> Callable[[str], str]:
    def reader(text: str) -> str:
        if text not in names:
            raise ValueError(f"one of {', '.join(names)} is needed")
        return text

    return reader


def read(fields: Fields, path: str, text: str, allowed: Mapping[str, Field]) -> ColumnElement[bool] | None:
    """The condition; None for an empty filter, and for a wrong one, which is noted in `fields`."""
    if len(text) > MAX_LENGTH:
        fields.wrong(path, f"{len(text)} characters, at most {MAX_LENGTH:,}")
        return None
    try:
        tokens = _tokens(text)
        return _Reader(tokens, allowed).whole() if tokens else None
    except _WrongError as wrong:
        fields.wrong(path, f"position {wrong.position}: {wrong.what}")
        return None


class _WrongError(Exception):
    def __init__(self, position: int, what: str) -> None:
        self.position, self.what = position, what


class _Token(NamedTuple):
    position: int
    kind: Literal["quoted", "sign", "word"]
    text: str

    def is_sign(self, *texts: str) -> bool:
        return self.kind == "sign" and self.text in texts

    def is_word(self, *texts: str) -> bool:
        return self.kind == "word" and self.text in texts


def _tokens(text: str) -> list[_Token]:
    """Empty, or with END behind them."""
    tokens: list[_Token] = []
    at = len(text) - len(text.lstrip())
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise _WrongError(at + 1, "a quotation without its end" if text[at] in "\"'" else "not understood")
        if len(tokens) == MAX_TOKENS:
            raise _WrongError(at + 1, f"more than {MAX_TOKENS} words and signs")
        if found["quoted"]:
            tokens.append(_Token(at + 1, "quoted", found["quoted"][1:-1]))
        else:
            tokens.append(_Token(at + 1, "sign" if found["sign"] else "word", found["sign"] or found["word"]))
        at = found.end()
    return [*tokens, _Token(len(text) + 1, "sign", END)] if tokens else []


class _Reader:
    """Recursive descent; the last token is END, which nothing takes."""

    def __init__(self, tokens: list[_Token], allowed: Mapping[str, Field]) -> None:
        self._tokens, self._allowed, self._next = tokens, allowed, 0

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def whole(self) -> ColumnElement[bool]:
        condition = self._all()
        if not self._token.is_sign(END):
            raise _WrongError(self._token.position, "a parenthesis that was not opened")
        return condition

    def _all(self) -> ColumnElement[bool]:
        conditions = [self._any()]
        while not self._token.is_sign(")", END):
            if self._token.is_word("AND"):
                self._take()
            conditions.append(self._any())
        return and_(*conditions)

    def _any(self) -> ColumnElement[bool]:
        conditions = [self._term()]
        while self._token.is_word("OR"):
            self._take()
            conditions.append(self._term())
        return or_(*conditions)

    def _term(self) -> ColumnElement[bool]:
        token = self._token
        if token.is_word("NOT", "-"):
            self._take()
            return not_(self._single())
        if token.kind == "word" and token.text.startswith("-"):
            self._tokens[self._next] = _Token(token.position + 1, "word", token.text[1:])
            return not_(self._single())
        return self._single()

    def _single(self) -> ColumnElement[bool]:
        token = self._take()
        if token.is_sign("("):
            condition = self._all()
            if not self._token.is_sign(")"):
                raise _WrongError(self._token.position, "a closing parenthesis is missing")
            self._take()
            return condition
        field = self._allowed.get(token.text) if token.kind == "word" else None
        if field is None:
            raise _WrongError(token.position, f"one of the fields {', '.join(self._allowed)} is needed")
        return self._comparison(field)

    def _comparison(self, field: Field) -> ColumnElement[bool]:
        sign = self._take()
        if not sign.is_sign(*field.operators.split()):
            raise _WrongError(sign.position, f"one of {field.operators} is needed")
        value = self._take()
        if value.kind == "sign" or value.is_word(*KEYWORDS):
            raise _WrongError(value.position, "a value is needed")
        prefix = PREFIX.fullmatch(value.text) if field.has_prefixes else None
        try:
            wanted = field.reader(ESCAPED.sub(r"\1", prefix[1] if prefix else value.text))
        except ValueError as wrong:
            raise _WrongError(value.position, str(wrong)) from None
        if prefix is None:
            compared: ColumnElement[bool] = COMPARISONS[sign.text](field.column, wanted)
            return compared
        begins = field.column.like(LIKE_SIGN.sub(r"\\\g<0>", str(wanted)) + "%")
        return not_(begins) if sign.text == "!=" else begins
