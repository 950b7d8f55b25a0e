"""The contracts as Envoy's transcoder reads them."""

from functools import cache

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2

from protos.identity.v1 import audit_events_pb2 as identity_audit_events_pb2
from protos.identity.v1 import factors_pb2, sessions_pb2, users_pb2
from protos.tenancy.v1 import (
    access_pb2,
    audit_events_pb2,
    invitations_pb2,
    organization_members_pb2,
    organizations_pb2,
    project_members_pb2,
    projects_pb2,
)

# Those with RPCs that have a google.api.http.
FILES = (
    identity_audit_events_pb2, factors_pb2, sessions_pb2, users_pb2, access_pb2, audit_events_pb2, invitations_pb2,
    organization_members_pb2, organizations_pb2, project_members_pb2, projects_pb2,
)  # fmt: skip


@cache
def descriptor_set() -> bytes:
    """With all imports, and the details of errors: without them Envoy answers an error with nothing at all."""
    found: dict[str, FileDescriptor] = {}
    for module in (*FILES, error_details_pb2):
        _add(module.DESCRIPTOR, found)
    files = FileDescriptorSet()
    for file in found.values():
        file.CopyToProto(files.file.add())
    return files.SerializeToString(deterministic=True)


def _add(file: FileDescriptor, found: dict[str, FileDescriptor]) -> None:
    for needed in file.dependencies:
        _add(needed, found)
    found[file.name] = file  # after what it imports


def services() -> list[str]:
    """By full name, such as tenancy.v1.AccessService."""
    return [service.full_name for module in FILES for service in module.DESCRIPTOR.services_by_name.values()]
