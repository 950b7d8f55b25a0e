"""Tables: aligned on a terminal, tab-separated and uncut in a pipe."""

import sys
from collections.abc import Sequence

Row = Sequence[str]


def print_table(columns: Row, rows: Sequence[Row]) -> None:
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: an email such as [x]@example.com is no markup
    Console().print(table)
