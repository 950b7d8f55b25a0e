"""What is wrong with an access file: all of it at once, each with its line, its key and the nearest name."""

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any

MOST = 20
# A key or a value as a whole word, bare or quoted.
WORD = r"(?<![\w/:@+-]){}(?![\w/:@+-])"
# Outside of quotes, where it begins a comment.
COMMENT = re.compile(r"""((?:"(?:\\.|[^"\\])*"|'[^']*'|[^"'#])*)#.*""")


class Problems:
    def __init__(self, text: str) -> None:
        self._lines = [COMMENT.sub(r"\1", line) for line in text.splitlines()]
        self._found: list[tuple[int, str]] = []

    def add(self, path: tuple[str, ...], what: str, *, after: int = 1, value: str = "") -> None:
        """`path` are the keys that lead to it, beginning at line `after`; `value` is what is wrong there."""
        key = ".".join(path)
        line = self.line(*path, *([value] if value else []), after=after)
        self._found.append((line, f"{key}: {what}"))

    def told(self) -> list[str]:
        """By line; what stands in one, in the order in which it was found."""
        by_line = sorted(self._found, key=lambda problem: problem[0])
        return [f"line {line}: {what}" for line, what in by_line]

    def line(self, *words: str, after: int = 1) -> int:
        """Where the last of the words stands: each is looked for from the one before it on."""
        at = after - 1
        for word in words:
            sign = re.compile(WORD.format(re.escape(word)))
            at = next((n for n in range(at, len(self._lines)) if sign.search(self._lines[n])), at)
        return at + 1

    def lines_of_tables(self, name: str) -> list[int]:
        """Where each [[name]] stands."""
        header = re.compile(rf"\s*\[\[\s*{name}\s*\]\]\s*")
        return [n + 1 for n, line in enumerate(self._lines) if header.fullmatch(line)]

    def table(self, path: tuple[str, ...], value: object) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        self.add(path, "a table of names and values is needed")
        return {}

    def known(self, path: tuple[str, ...], given: Collection[str], known: Collection[str], *, after: int = 1) -> None:
        for name in given:
            if name not in known:
                self.add((*path, name), f"no such key{nearest(name, known)}", after=after)


def nearest(name: str, known: Collection[str]) -> str:
    """What to say of a name that is none of those: the one most likely meant, or which there are."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f'; nearest: "{near[0]}"'
    return f"; there are: {', '.join(sorted(known)[:MOST])}" if known else ""
