"""What commands print: tables and facts, aligned on a terminal, tab-separated and uncut in a pipe; JSON."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from google.protobuf.message import Message

Row = Sequence[str]
Shown = TypeVar("Shown", bound="Message")
FIRST_SHOWN = 50
PAGE = 1000


def print_table(columns: Row, rows: Iterable[Row]) -> None:
    """In a pipe, each row as soon as it is there; nothing at all if the first cannot be had."""
    if not sys.stdout.isatty():
        rows = iter(rows)
        first = list(islice(rows, 1))
        print("\t".join(columns))
        for row in chain(first, rows):
            print("\t".join(plain(cell) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))  # Text: an email such as [x]@example.com is no markup
    Console().print(table)


def at_most(limit: int | None, as_json: bool) -> int:
    """How many of a list are shown; 0 means all."""
    if limit is None:
        return FIRST_SHOWN if sys.stdout.isatty() and not as_json else 0
    return limit


def page_size(most: int) -> int:
    """One more than shown, to know whether there is more."""
    return min(most + 1, PAGE) if most else PAGE


def print_list(
    found: Iterator[Shown], columns: Row, row: Callable[[Shown], Row], as_json: bool, most: int, command: str
) -> None:
    """Messages as a table, or as JSON; `command` is what lists them."""
    from tenantry import shown_messages

    first = islice(found, most or None)
    if as_json:
        for message in first:
            print_json(shown_messages.as_json(message))
    else:
        print_table(columns, map(row, first))
    if most and next(found, None):
        note(f"These are the first {most}; all of them:  {command} --limit 0")


def print_facts(facts: dict[str, str]) -> None:
    """One line for each name and its value."""
    width = max(map(len, facts)) + 3
    for name, value in facts.items():
        line = f"{name.replace('_', ' '):<{width}}{plain(value)}" if sys.stdout.isatty() else f"{name}\t{plain(value)}"
        print(line.rstrip())


def print_json(found: dict[str, Any]) -> None:
    print(json.dumps(found))


def note(text: str) -> None:
    click.echo(text, err=True)


def plain(cell: str) -> str:
    """Without what would end a cell or a line, or steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cell)
