"""From what a file says of a person to the message that is sent, checked as the server will."""

import json
import re
from collections.abc import Mapping

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from identity_service.foreign_hashes import read_hash
from protos.identity.v1.user_imports_pb2 import ImportedUser
from shared.errors import ServiceError
from shared.fields import Fields

TRUE = ("true", "t", "yes", "y", "1", "verified", "confirmed")
FALSE = ("false", "f", "no", "n", "0", "unverified", "unconfirmed", "null", "none", "")
TIME = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?|\d{9,13}")  # also seconds or milliseconds since 1970
KINDS = ("argon2", "bcrypt", "scrypt", "pbkdf2")


class UnfitError(Exception):
    """Why a record cannot be imported; never with its values."""


def to_user(taken: Mapping[str, object]) -> ImportedUser:
    """UnfitError names all that is wrong. The server has the last word."""
    fields = Fields()
    user = ImportedUser()
    for name, fill in FILLS.items():
        try:
            fill(user, fields, taken.get(name))
        except UnicodeEncodeError:
            fields.wrong(name, "not UTF-8")
        except ValueError as wrong:
            fields.wrong(name, str(wrong))
    try:
        fields.check()
    except ServiceError as error:
        raise UnfitError("; ".join(f"{name}: {what}" for name, what in error.fields)) from None
    return user


def kind(hash_: str) -> str:
    """Of a hash that is taken."""
    return "bcrypt" if hash_.startswith("$2") else next(name for name in KINDS if name in hash_[:8])


def _email(user: ImportedUser, fields: Fields, value: object) -> None:
    user.email = _text(value)
    fields.email("email", user.email)


def _name(user: ImportedUser, fields: Fields, value: object) -> None:
    user.display_name = fields.name("name", _text(value))


def _external_id(user: ImportedUser, fields: Fields, value: object) -> None:
    user.external_id = _text(value)
    fields.external_id("external_id", user.external_id)


def _verified(user: ImportedUser, _: Fields, value: object) -> None:
    text = _text(str(value).lower() if isinstance(value, bool) else value)
    if text.lower() not in (*TRUE, *FALSE) and not TIME.fullmatch(text):
        raise ValueError("true, false or a time is needed")
    user.email_verified = text.lower() not in FALSE


def _password_hash(user: ImportedUser, _: Fields, value: object) -> None:
    user.password_hash = _text(value)
    if user.password_hash and read_hash(user.password_hash) is None:
        raise ValueError("not a hash that is taken, or too costly; docs/importing.md lists which are")


def _public_metadata(user: ImportedUser, fields: Fields, value: object) -> None:
    user.public_metadata.CopyFrom(_struct(value))
    fields.metadata("public_metadata", user.public_metadata)


def _private_metadata(user: ImportedUser, fields: Fields, value: object) -> None:
    user.private_metadata.CopyFrom(_struct(value))
    fields.metadata("private_metadata", user.private_metadata)


FILLS = {
    "email": _email,
    "name": _name,
    "external_id": _external_id,
    "verified": _verified,
    "password_hash": _password_hash,
    "public_metadata": _public_metadata,
    "private_metadata": _private_metadata,
}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("a text is needed")
    return str(value).strip()


def _struct(value: object) -> Struct:
    try:
        held = json.loads(value) if isinstance(value, str) and value.strip() else value or {}
        if not isinstance(held, dict):
            raise ValueError
        return json_format.ParseDict(held, Struct())
    except (ValueError, RecursionError, json_format.ParseError):
        raise ValueError("a JSON object is needed") from None
