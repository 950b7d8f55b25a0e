"""Metadata of organizations: the public one for all who see it, the private one for services alone."""

from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from protos.tenancy.v1 import organizations_pb2 as pb
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People
from tests.calls import fails
from tests.tenancy.races import rows
from tests.tenancy.rpcs import call


def struct(value: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(value)
    return made


async def update(tenancy: grpc.aio.Channel, metadata: Metadata, *paths: str, **fields: Any) -> pb.Organization:
    request = pb.UpdateOrganizationRequest(organization=pb.Organization(**fields))
    request.update_mask.paths.extend(paths)
    answer: pb.UpdateOrganizationResponse = await call(tenancy, request, metadata)
    return answer.organization


async def test_members_read_the_public_and_services_both(tenancy: grpc.aio.Channel, people: People, pair: Pair) -> None:
    ada, bo = await people.persons(2)
    plan = {"plan": "pro", "seats": 5.0, "flags": [True, None, {"deep": "yes"}]}
    request = pb.CreateOrganizationRequest(slug=people.slug(), public_metadata=struct(plan))
    acme = (await call(tenancy, request, ada.metadata)).organization.organization_id
    await people.add(acme, bo, "GUEST")
    private = struct({"customer": "cus_1"})
    told = await update(tenancy, AS_OPERATOR, organization_id=acme, private_metadata=private)
    assert (MessageToDict(told.public_metadata), told.private_metadata) == (plan, private)
    get = pb.GetOrganizationRequest(organization_id=acme)
    for metadata, sees in ((bo.metadata, False), (AS_OPERATOR + bo.metadata, False), (AS_OPERATOR, True)):
        read = (await call(tenancy, get, metadata)).organization
        assert MessageToDict(read.public_metadata) == plan
        assert read.HasField("private_metadata") == sees
        page = await call(tenancy, pb.ListOrganizationsRequest(user_id=bo.user_id), metadata)
        assert [each.HasField("private_metadata") for each in page.organizations] == [sees]
    for [message] in await rows(
        pair, "SELECT message FROM events WHERE organization_id = %s AND type LIKE 'ORG%%'", [acme]
    ):
        event = pb.Organization.FromString(message)
        assert MessageToDict(event.public_metadata) == plan
        assert not event.HasField("private_metadata")


async def test_an_administrator_changes_the_public_one_and_never_the_private(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    await update(tenancy, AS_OPERATOR, organization_id=acme, private_metadata=struct({"kept": "yes"}))
    changed = await update(tenancy, ada.metadata, organization_id=acme, public_metadata=struct({"a": 1}))
    assert MessageToDict(changed.public_metadata) == {"a": 1.0}
    for metadata in (ada.metadata, AS_OPERATOR + ada.metadata):
        async with fails(Reason.BAD_REQUEST) as failure:
            await update(tenancy, metadata, "private_metadata", organization_id=acme, private_metadata=struct({"b": 1}))
        assert list(failure.fields) == ["update_mask"]
    emptied = await update(tenancy, ada.metadata, "public_metadata", organization_id=acme)
    assert not emptied.HasField("public_metadata")
    read = await call(tenancy, pb.GetOrganizationRequest(organization_id=acme), AS_OPERATOR)
    assert MessageToDict(read.organization.private_metadata) == {"kept": "yes"}


def nested(levels: int) -> dict[str, Any]:
    return {"in": nested(levels - 1)} if levels > 1 else {}


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ({"a": "x" * (8192 - 8)}, True),
        ({"a": "x" * (8192 - 7)}, False),
        (nested(10), True),
        (nested(11), False),
        ({"a": "nul \0"}, False),
    ],
)
async def test_metadata_has_limits(
    tenancy: grpc.aio.Channel, people: People, value: dict[str, Any], allowed: bool
) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    if allowed:
        changed = await update(tenancy, ada.metadata, organization_id=acme, public_metadata=struct(value))
        assert MessageToDict(changed.public_metadata) == value
        return
    for request, metadata, field in (
        (pb.CreateOrganizationRequest(slug=people.slug(), public_metadata=struct(value)), ada.metadata, ""),
        (organization_with(acme, public_metadata=struct(value)), ada.metadata, "organization."),
        (organization_with(acme, public_metadata=struct(value)), AS_OPERATOR, "organization."),
    ):
        async with fails(Reason.BAD_REQUEST) as failure:
            await call(tenancy, request, metadata)
        assert list(failure.fields) == [f"{field}public_metadata"]


def organization_with(organization_id: str, **fields: Any) -> pb.UpdateOrganizationRequest:
    return pb.UpdateOrganizationRequest(organization=pb.Organization(organization_id=organization_id, **fields))
