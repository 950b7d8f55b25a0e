"""What commands print: tables and facts, aligned on a terminal, tab-separated and uncut in a pipe; JSON."""

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

import click

Row = Sequence[str]


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
