"""What an import will do with a file: how it is written, and what is taken from where."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from protos.identity.v1.user_imports_pb2 import ImportedUser
from tenantry.failures import WRONG_USE, Failure
from tenantry.user_import import columns as columns_of
from tenantry.user_import import records as records_of
from tenantry.user_import.columns import Columns
from tenantry.user_import.person import UnfitError, to_user
from tenantry.user_import.recipes import RECIPES
from tenantry.user_import.records import LINE, REASON, Form, Record

LOOKED_AT = 100  # records of JSON, for their keys


@dataclass(frozen=True, slots=True)
class Plan:
    """`columns` are all that is taken, or with a recipe what is taken otherwise than it says."""

    path: Path
    form: Form
    recipe: str
    columns: Columns
    not_taken: tuple[str, ...]

    @property
    def choices(self) -> str:
        return json.dumps([self.recipe, self.columns], sort_keys=True)

    def shown(self) -> dict[str, str]:
        """Where each field comes from."""
        taken = dict(RECIPES[self.recipe].takes) if self.recipe else {}
        taken |= {field: " + ".join(paths) for field, paths in self.columns.items()}
        return {field: taken[field] for field in columns_of.FIELDS if taken.get(field)}

    def records(self, file: TextIO) -> Iterator[Record]:
        return records_of.records(file, self.form)

    def user(self, record: Record) -> ImportedUser:
        """UnfitError says why not."""
        if record.wrong:
            raise UnfitError(record.wrong)
        try:
            taken = RECIPES[self.recipe].take(record.fields) if self.recipe else {}
        except (AttributeError, TypeError):
            raise UnfitError(f"not as the export of {self.recipe} is written") from None
        cleared = {field: None for field, paths in self.columns.items() if not paths}
        return to_user({**taken, **cleared, **columns_of.take(record.fields, self.columns)})


def make(path: Path, recipe: str, maps: tuple[str, ...]) -> Plan:
    form = records_of.recognize(path)
    names = _names(path, form)
    chosen = columns_of.named(maps, names)
    if recipe:
        return Plan(path, form, recipe, chosen, ())
    columns = {field: paths for field, paths in {**columns_of.guess(names), **chosen}.items() if paths}
    if "email" not in columns:
        hint = f"name it:  --map email=COLUMN   there are: {', '.join(names)}"
        raise Failure(f"no column of {path.name} looks like the email address", WRONG_USE, hint)
    taken = {path.partition(".")[0] if path not in names else path for paths in columns.values() for path in paths}
    return Plan(path, form, recipe, columns, tuple(name for name in names if name not in taken))


def _names(path: Path, form: Form) -> list[str]:
    """Of the columns, or of the keys of the first records, in their order."""
    names = list(form.header)
    if form.kind != "CSV":
        with records_of.opened(path) as file:
            first = islice(records_of.records(file, form), LOOKED_AT)
            names = list(dict.fromkeys(name for record in first for name in record.fields))
    return [name for name in names if name and name not in (LINE, REASON)]
