"""JSON Schema of messages and enums, as Envoy's transcoder reads and writes them (proto3 JSON)."""

from collections.abc import Iterable
from typing import Any

from google.api.field_behavior_pb2 import IDENTIFIER, OUTPUT_ONLY, REQUIRED, field_behavior
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from tenantry.gateway.contracts import Contracts

Json = dict[str, Any]

SCALARS: dict["FieldDescriptorProto.Type.ValueType", Json] = {
    FieldDescriptorProto.TYPE_STRING: {"type": "string"},
    FieldDescriptorProto.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptorProto.TYPE_INT32: {"type": "integer", "format": "int32"},
    # A number in JSON is a double, which does not hold all of them.
    FieldDescriptorProto.TYPE_INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"},
    FieldDescriptorProto.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
WELL_KNOWN: dict[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.FieldMask": {
        "type": "string",
        "description": "Names of fields in camelCase, with commas between.",
    },
}


# Has a schema of its own in rest_errors.py.
ERROR = "google.rpc.Status"


def schemas(contracts: Contracts, used: Iterable[Json]) -> Json:
    """Of all that the given parts of a document refer to, and what those refer to, by name."""
    found: Json = {}
    wanted = references(used)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = enum(contracts, name) if name in contracts.enums else message(contracts, name)
            wanted |= references([found[name]])
    return dict(sorted(found.items()))


def references(part: Any) -> set[str]:
    """The names of our messages and enums."""
    if isinstance(part, dict):
        own = {part["$ref"].rpartition("/")[2]} if "$ref" in part else set()
        return own.union(*map(references, part.values())) - {ERROR}
    return set[str]().union(*map(references, part)) if isinstance(part, list) else set()


def message(contracts: Contracts, name: str, without: Iterable[str] = ()) -> Json:
    """`without` are fields by their name in the contract that stand elsewhere, such as in the path."""
    described = contracts.messages[name]
    fields = [each for each in described.field if each.name not in without]
    schema: Json = {"type": "object"}
    text = [contracts.comments.get(name, ""), *alternatives(described, fields)]
    if any(text):
        schema["description"] = "\n\n".join(filter(None, text))
    schema["properties"] = {each.json_name: field(contracts, name, each) for each in fields}
    required = [each.json_name for each in fields if REQUIRED in behaviors(each)]
    return schema | ({"required": required} if required else {})


def alternatives(described: DescriptorProto, fields: list[FieldDescriptorProto]) -> list[str]:
    """A sentence for each oneof."""
    groups = [
        [f"`{each.json_name}`" for each in fields if each.HasField("oneof_index") and each.oneof_index == index]
        for index in range(len(described.oneof_decl))
    ]
    return [f"At most one of {', '.join(names)}." for names in groups if len(names) > 1]


def field(contracts: Contracts, owner: str, described: FieldDescriptorProto) -> Json:
    schema = value(described)
    if described.label == FieldDescriptorProto.LABEL_REPEATED:
        schema = {"type": "array", "items": schema}
    text = [contracts.comments.get(f"{owner}.{described.name}", ""), schema.pop("description", "")]
    if any(text):
        schema["description"] = " ".join(filter(None, text))
    return schema | ({"readOnly": True} if {OUTPUT_ONLY, IDENTIFIER} & behaviors(described) else {})


def value(described: FieldDescriptorProto) -> Json:
    """Of one value, without a comment; a KeyError for a type that the contracts have not had until now."""
    if described.type not in (FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_ENUM):
        return dict(SCALARS[described.type])
    name = described.type_name.removeprefix(".")
    return dict(WELL_KNOWN[name]) if name.startswith("google.") else reference(name)


def reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name.removeprefix('.')}"}


def enum(contracts: Contracts, name: str) -> Json:
    values = [value.name for value in contracts.enums[name].value]
    told = [
        f"- `{each}`: {contracts.comments[f'{name}.{each}']}"
        for each in values
        if f"{name}.{each}" in contracts.comments
    ]
    text = "\n\n".join(filter(None, [contracts.comments.get(name, ""), "\n".join(told)]))
    return {"type": "string", "description": text, "enum": values}


def behaviors(described: FieldDescriptorProto) -> set[int]:
    return set(described.options.Extensions[field_behavior])
