"""The contracts as a descriptor set tells them: messages, enums and RPCs by full name, each with its comment."""

import re
from dataclasses import dataclass, field

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

# The numbers of the fields that lead to a part of a file: a comment stands at such a path.
FILE_MESSAGE, FILE_ENUM, FILE_SERVICE = 4, 5, 6
MESSAGE_FIELD, MESSAGE_MESSAGE, MESSAGE_ENUM = 2, 3, 4
ENUM_VALUE, SERVICE_RPC = 2, 2

Path = tuple[int, ...]


@dataclass
class Contracts:
    """Keys are full names without a leading dot; those of RPCs are as in `tenancy.v1.AccessService.CheckAccess`."""

    messages: dict[str, DescriptorProto] = field(default_factory=dict)
    enums: dict[str, EnumDescriptorProto] = field(default_factory=dict)
    rpcs: dict[str, MethodDescriptorProto] = field(default_factory=dict)
    services: list[str] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)


def read(files: FileDescriptorSet) -> Contracts:
    found = Contracts()
    for file in files.file:
        paths: dict[Path, str] = {}
        for index, message in enumerate(file.message_type):
            add_message(found, paths, f"{file.package}.{message.name}", message, (FILE_MESSAGE, index))
        for index, enum in enumerate(file.enum_type):
            add_enum(found, paths, f"{file.package}.{enum.name}", enum, (FILE_ENUM, index))
        for index, service in enumerate(file.service):
            name, path = f"{file.package}.{service.name}", (FILE_SERVICE, index)
            paths[path] = name
            found.services.append(name)
            for number, rpc in enumerate(service.method):
                paths[*path, SERVICE_RPC, number] = f"{name}.{rpc.name}"
                found.rpcs[f"{name}.{rpc.name}"] = rpc
        found.comments |= comments(file, paths)
    return found


def add_message(found: Contracts, paths: dict[Path, str], name: str, message: DescriptorProto, path: Path) -> None:
    paths[path] = name
    found.messages[name] = message
    for index, each in enumerate(message.field):
        paths[*path, MESSAGE_FIELD, index] = f"{name}.{each.name}"
    for index, nested in enumerate(message.nested_type):
        add_message(found, paths, f"{name}.{nested.name}", nested, (*path, MESSAGE_MESSAGE, index))
    for index, enum in enumerate(message.enum_type):
        add_enum(found, paths, f"{name}.{enum.name}", enum, (*path, MESSAGE_ENUM, index))


def add_enum(found: Contracts, paths: dict[Path, str], name: str, enum: EnumDescriptorProto, path: Path) -> None:
    paths[path] = name
    found.enums[name] = enum
    for index, value in enumerate(enum.value):
        paths[*path, ENUM_VALUE, index] = f"{name}.{value.name}"


def comments(file: FileDescriptorProto, paths: dict[Path, str]) -> dict[str, str]:
    """By name; each paragraph is one line."""
    found = {}
    for location in file.source_code_info.location:
        name = paths.get(tuple(location.path))
        if name and location.leading_comments:
            paragraphs = re.split(r"\n\s*\n", location.leading_comments.strip())
            found[name] = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    return found
