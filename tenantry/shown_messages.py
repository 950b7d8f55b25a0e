"""Messages of the contracts as the command line shows them: times, enums by their plain names, JSON."""

import json
import uuid
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

JSON = "google.protobuf."


def is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def time(stamp: Timestamp) -> str:
    """To the second, in UTC."""
    return f"{stamp.ToDatetime():%Y-%m-%dT%H:%M:%SZ}" if stamp.seconds else ""


def word(message: Message, field: str) -> str:
    """An enum's value as people type it, such as ADMIN; empty if it is not specified."""
    kind = message.DESCRIPTOR.fields_by_name[field].enum_type
    assert kind is not None
    return plain(kind, kind.values_by_number[getattr(message, field)].name) or ""


def plain(kind: Any, name: str) -> str | None:
    """ADMIN of ORG_ROLE_ADMIN; None of ORG_ROLE_UNSPECIFIED. `kind` is the enum's descriptor."""
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return name.removeprefix(prefix) if name != kind.values_by_number[0].name else None


def as_json(message: Message) -> dict[str, Any]:
    """With the field names of the contract, also of fields that are empty; enums by their plain names."""
    found: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return with_plain_enums(message.DESCRIPTOR, found)


def with_plain_enums(kind: Any, found: dict[str, Any]) -> dict[str, Any]:
    """`kind` is the message's descriptor."""
    for name, value in found.items():
        field = kind.fields_by_name[name]
        if field.enum_type is not None:
            found[name] = plain(field.enum_type, value)
        elif field.message_type is not None and not field.message_type.full_name.startswith(JSON):
            for each in value if isinstance(value, list) else [value]:
                with_plain_enums(field.message_type, each)
    return found


def metadata(struct: Message) -> str:
    held = MessageToDict(struct)
    return json.dumps(held) if held else ""
