"""Which column or key of a file holds what of a person: guessed from its name, or named with --map."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from tenantry.failures import WRONG_USE, Failure

# Of each field: the names of columns or the paths of keys; those of several are joined with a space.
Columns: TypeAlias = dict[str, tuple[str, ...]]

# Likeliest first, in the letters and digits of their names.
LIKELY = {
    "email": ("email", "emailaddress", "mail", "primaryemailaddress", "primaryemail", "useremail"),
    "name": ("displayname", "fullname", "name"),
    "external_id": ("externalid", "userid", "id", "uuid", "uid", "sub"),
    "verified": (
        *("emailverified", "isemailverified", "verified", "isverified", "emailconfirmed", "confirmed"),
        *("emailverifiedat", "emailverifiedtime", "emailconfirmedat", "confirmedat", "verifiedat"),
    ),
    "password_hash": (
        *("passwordhash", "passworddigest", "hashedpassword", "encryptedpassword", "encryptedpass"),
        *("passhash", "pwhash", "hash", "password"),
    ),
    "public_metadata": ("publicmetadata", "metadata"),
    "private_metadata": ("privatemetadata",),
}
FIRST_NAMES, LAST_NAMES = ("firstname", "givenname", "forename"), ("lastname", "familyname", "surname")
FIELDS = tuple(LIKELY)
OTHER_NAMES = {"display_name": "name", "email_verified": "verified"}


def guess(names: Sequence[str]) -> Columns:
    plain = {re.sub(r"[\W_]", "", name.lower()): name for name in reversed(names)}
    found: Columns = {
        field: (next(plain[name] for name in likely if name in plain),)
        for field, likely in LIKELY.items()
        if any(name in plain for name in likely)
    }
    parts = [next((plain[name] for name in likely if name in plain), "") for likely in (FIRST_NAMES, LAST_NAMES)]
    if "name" not in found and any(parts):
        found["name"] = tuple(filter(None, parts))
    return found


def named(maps: Iterable[str], names: Sequence[str]) -> Columns:
    """Of options such as email=Mail, name=First+Last and external_id= (for: not taken)."""
    chosen: Columns = {}
    for text in maps:
        field, sign, wanted = text.partition("=")
        field = OTHER_NAMES.get(field, field)
        if not sign or field not in FIELDS:
            raise Failure(f"--map {text}: begins with none of {', '.join(FIELDS)} and a =", WRONG_USE)
        chosen[field] = (wanted,) if wanted in names else tuple(filter(None, wanted.split("+")))
        for path in chosen[field]:
            check_is_there(path, names)
    return chosen


def check_is_there(path: str, names: Sequence[str]) -> None:
    if path in names or path.partition(".")[0] in names:
        return
    near = difflib.get_close_matches(path, names, n=1)
    hint = f"did you mean:  {near[0]}" if near else f"there are:  {', '.join(names)}"
    raise Failure(f"there is no column {path}", WRONG_USE, hint)


def take(fields: Mapping[str, Any], columns: Columns) -> dict[str, object]:
    """The values of the fields that have columns."""
    taken: dict[str, object] = {}
    for field, paths in columns.items():
        values = [look_up(fields, path) for path in paths]
        if len(values) == 1:
            taken[field] = values[0]
        elif values:
            taken[field] = " ".join(str(value).strip() for value in values if value not in (None, ""))
    return taken


def look_up(fields: Mapping[str, Any], path: str) -> object:
    """By its name, or by a path such as traits.email."""
    if path in fields:
        return fields[path]
    held: object = fields
    for name in path.split("."):
        held = held.get(name) if isinstance(held, Mapping) else None
    return held
