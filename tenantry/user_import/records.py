"""Read CSV, JSON Lines and JSON arrays record by record, whatever their size, with the line each begins on."""

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

from tenantry.failures import WRONG_USE, Failure

MOST_CHARACTERS = 2**20  # of one record
CHUNK = 2**16
DELIMITERS = ",;\t|"
LINE, REASON = "tenantry_line", "tenantry_reason"  # put into files of rejected records; ignored on the way in
UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written."""

    kind: Literal["CSV", "JSON Lines", "JSON array"]
    delimiter: str = ","
    header: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        return ".csv" if self.kind == "CSV" else ".jsonl"


@dataclass(slots=True)
class Record:
    """`fields` by column or key; `wrong` says why it is none, with what has no name in `extra` or `text`."""

    line: int
    fields: Mapping[str, Any] = field(default_factory=dict)
    wrong: str = ""
    extra: tuple[str, ...] = ()
    text: str = ""


def recognize(path: Path) -> Form:
    """By the name's ending, and by how the file begins."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".tsv", ".json", ".jsonl", ".ndjson"):
        raise Failure(f"{path.name} is none of .csv, .tsv, .jsonl, .ndjson, .json", WRONG_USE)
    with path.open("rb") as file:
        if file.read(2) in UTF16:
            raise Failure(f"{path.name} is UTF-16", WRONG_USE, "save it as UTF-8 first")
    with opened(path) as text:
        if kind not in (".csv", ".tsv"):
            begins = text.read(CHUNK).lstrip()[:1]
            return Form("JSON array" if begins == "[" else "JSON Lines")
        first = next(lines(text), "")
        delimiter = max(DELIMITERS, key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))
        text.seek(0)
        return Form("CSV", delimiter, _header(path, text, delimiter))


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """Wrong UTF-8 is kept, to be given back as it was; only where it is used it is refused."""
    with path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield file


def records(file: TextIO, form: Form) -> Iterator[Record]:
    reading = {"CSV": _csv, "JSON Lines": _json_lines, "JSON array": _json_array}
    return reading[form.kind](file, form)


def lines(file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(MOST_CHARACTERS + 1):
        number += 1
        if len(line) > MOST_CHARACTERS:
            raise Failure(f"line {number} has more than {MOST_CHARACTERS:,} characters: no list of users")
        yield line


def _header(path: Path, file: TextIO, delimiter: str) -> tuple[str, ...]:
    header = tuple(name.strip() for name in next(csv.reader(lines(file), delimiter=delimiter), []))
    twice = {name for name in header if name and header.count(name) > 1}
    if not any(header):
        raise Failure(f"{path.name} begins without the names of its columns", WRONG_USE)
    if twice:
        raise Failure(f"{path.name} has the column {min(twice)} twice", WRONG_USE)
    return header


def _csv(file: TextIO, form: Form) -> Iterator[Record]:
    reader = csv.reader(lines(file), delimiter=form.delimiter)
    next(reader, None)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(line, wrong=f"not CSV: {error}")
            continue
        if not row:
            continue
        named = dict(zip(form.header, row, strict=False))
        cells = {name: cell for name, cell in named.items() if name not in (LINE, REASON)}
        wrong = "" if len(row) == len(form.header) else f"{len(row)} cells, the header has {len(form.header)}"
        yield Record(line, cells, wrong, tuple(row[len(form.header) :]))


def _json_lines(file: TextIO, _: Form) -> Iterator[Record]:
    for number, line in enumerate(lines(file), 1):
        if line.strip():
            try:
                yield _of_json(number, json.loads(line), line)
            except (ValueError, RecursionError):
                yield Record(number, wrong="not JSON", text=line.rstrip("\r\n"))


def _json_array(file: TextIO, _: Form) -> Iterator[Record]:
    """One element at a time: such a file is often one line of gigabytes."""
    decode = json.JSONDecoder().raw_decode
    text, is_first = file.read(CHUNK), True
    at = text.index("[") + 1
    line = 1 + text.count("\n", 0, at)
    while True:
        begin, is_separated = _next_element(text, at)
        line += text.count("\n", at, begin)
        at = begin
        if text[at : at + 1] == "]":
            return
        try:
            if not (is_first or is_separated):
                raise ValueError
            element, end = decode(text, at)
        except (ValueError, RecursionError):
            more = file.read(CHUNK)
            if not more or len(text) - at > MOST_CHARACTERS:
                raise Failure(f"the JSON array is broken in the element that begins on line {line}") from None
            # With the comma before it, if there was one.
            text, at = ("," if is_separated else "") + text[at:] + more, 0
            continue
        yield _of_json(line, element, text[at:end])
        line += text.count("\n", at, end)
        at, is_first = end, False


def _next_element(text: str, at: int) -> tuple[int, bool]:
    """Where it begins, and whether a comma comes before it."""
    is_separated = False
    while at < len(text) and (text[at].isspace() or (text[at] == "," and not is_separated)):
        is_separated |= text[at] == ","
        at += 1
    return at, is_separated


def _of_json(line: int, value: object, text: str) -> Record:
    if not isinstance(value, dict):
        return Record(line, wrong="not a JSON object", text=text.strip())
    return Record(line, {name: held for name, held in value.items() if name not in (LINE, REASON)})
