"""For every id field of every RPC, another tenant's id and one that does not exist give byte-identical answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from protos.tenancy.v1.organizations_pb2 import CreateOrganizationRequest, GetOrganizationRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole
from tenancy_service.server import RPCS, SERVICES
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People, TestPerson
from tests.calls import outcome
from tests.tenancy.inviting import Inviting, an_address
from tests.tenancy.test_access_matrix import rows_of

METHODS = {
    f"{service.full_name}/{method.name}": (method.input_type, method.output_type)
    for service in SERVICES
    for method in service.methods
}


def id_fields(message: Descriptor, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all ids in a request, nested ones too; a request's own id names no row of anybody."""
    for field in message.fields:
        if field.message_type is not None and not field.message_type.full_name.startswith("google."):
            yield from id_fields(field.message_type, (*path, field.name))
        elif field.name.endswith("_id") and field.name != "request_id":
            yield (*path, field.name)


ALL_FIELDS = [(rpc, path) for rpc, (request, _) in METHODS.items() for path in id_fields(request)]
NOT_HIDDEN = {
    # Users belong to no tenant, and a service adds whoever has an account.
    ("tenancy.v1.OrganizationMemberService/AddOrganizationMember", ("user_id",)),
    # For services without a person only, and they see every tenant.
    ("tenancy.v1.OrganizationService/CreateOrganization", ("owner_user_id",)),
    ("tenancy.v1.OrganizationService/RestoreOwner", ("user_id",)),
    ("tenancy.v1.OrganizationService/RestoreOwner", ("organization_id",)),
    ("tenancy.v1.AccessService/CheckAccess", ("user_id",)),
    ("tenancy.v1.AccessService/BatchCheckAccess", ("requests", "user_id")),
    # The answer repeats the id; test_explain_access.py compares the rest.
    ("tenancy.v1.AccessService/ExplainAccess", ("user_id",)),
    # With a slug and without a project_id: test_projects.py.
    ("tenancy.v1.ProjectService/GetProject", ("organization_id",)),
}
FIELDS = [field for field in ALL_FIELDS if field not in NOT_HIDDEN]


def put(message: Message, path: tuple[str, ...], value: str) -> None:
    for name in path[:-1]:
        inner: Any = getattr(message, name)
        if message.DESCRIPTOR.fields_by_name[name].is_repeated:
            message = inner[0] if len(inner) else inner.add()
        else:
            message = inner
    setattr(message, path[-1], value)


@dataclass
class Tenant:
    owner: TestPerson
    member: TestPerson
    organization_id: str
    project_id: str
    invitation_id: str

    def id_of(self, name: str) -> str:
        return {
            "organization_id": self.organization_id,
            "project_id": self.project_id,
            "invitation_id": self.invitation_id,
            "user_id": self.member.user_id,
            "owner_user_id": self.owner.user_id,
        }[name]


@pytest.fixture(scope="module")
async def tenants(pair: Pair, people: People) -> tuple[Tenant, Tenant]:
    """Ours, and another that we know every id of."""
    made = []
    for _ in range(2):
        owner, member = await people.persons(2)
        acme = await people.organization(owner, MEMBER=member)
        api = await people.project(acme, owner, EDITOR=member)
        made.append(Tenant(owner, member, acme, api, await invitation(pair, owner, acme)))
    return made[0], made[1]


async def invitation(pair: Pair, owner: TestPerson, organization_id: str) -> str:
    """The id of a pending one to somebody else."""
    return (await Inviting(pair).invite(owner, organization_id, an_address())).invitation_id


def valid_request(rpc: str, tenant: Tenant) -> Any:
    """A request of ours in which every field is right."""
    request: Any = GetMessageClass(METHODS[rpc][0])()
    for path in id_fields(METHODS[rpc][0]):
        put(request, path, tenant.id_of(path[-1]))
    checks = getattr(request, "requests", [request])
    for check in checks:
        if "permission" in check.DESCRIPTOR.fields_by_name:
            check.permission = "project:read"
    if rpc.rpartition("/")[2] in ("CheckAccess", "BatchCheckAccess", "ListAccessibleProjects"):
        for check in checks:
            check.ClearField("user_id")  # for services
    if "role" in request.DESCRIPTOR.fields_by_name:
        request.role = OrgRole.ORG_ROLE_MEMBER
    if "slug" in request.DESCRIPTOR.fields_by_name and not request.DESCRIPTOR.oneofs:
        request.slug = "another"
    if rpc.endswith("/GetProject"):
        for name in ("organization_id", "slug"):
            request.ClearField(name)
    if "email" in request.DESCRIPTOR.fields_by_name:
        request.email = an_address()
    for each in getattr(request, "project_roles", ()):
        each.role = ProjectRole.PROJECT_ROLE_VIEWER
    for name, value in (("reason", "Ada has left"), ("force", True), ("validate_only", True)):
        if name in request.DESCRIPTOR.fields_by_name:
            setattr(request, name, value)
    for name in ("organization", "project"):
        if name in request.DESCRIPTOR.fields_by_name:
            resource = getattr(request, name)
            resource.display_name, resource.etag = "New", "stale"
    return request


def caller(rpc: str, tenant: Tenant) -> Metadata:
    """The owner; with a service where only services may call, which some RPCs let in only alone."""
    if rpc.endswith("RestoreOwner"):
        return AS_OPERATOR
    return tenant.owner.metadata + (AS_OPERATOR if rpc.endswith("AddOrganizationMember") else ())


def method(pair: Pair, rpc: str) -> Any:
    request_type, response_type = METHODS[rpc]
    return pair.tenancy.channel.unary_unary(
        f"/{rpc}",
        request_serializer=GetMessageClass(request_type).SerializeToString,
        response_deserializer=GetMessageClass(response_type).FromString,
    )


async def answer(pair: Pair, rpc: str, tenant: Tenant, path: tuple[str, ...], value: str) -> bytes:
    """To a request that is right but for this value."""
    request = valid_request(rpc, tenant)
    put(request, path, value)
    return await outcome(method(pair, rpc)(request, metadata=caller(rpc, tenant)))


@pytest.mark.parametrize(("rpc", "path"), FIELDS, ids=[f"{rpc.partition('/')[2]}.{'.'.join(p)}" for rpc, p in FIELDS])
async def test_an_id_of_others_is_like_one_that_does_not_exist(
    pair: Pair, tenants: tuple[Tenant, Tenant], rpc: str, path: tuple[str, ...]
) -> None:
    ours, theirs = tenants
    before = await rows_of(pair, theirs.organization_id)
    hidden = await answer(pair, rpc, ours, path, theirs.id_of(path[-1]))
    absent = await answer(pair, rpc, ours, path, str(uuid4()))
    assert hidden == absent
    assert theirs.id_of(path[-1]).encode() not in hidden
    assert await rows_of(pair, theirs.organization_id) == before


async def test_the_requests_of_these_tests_are_right_but_for_the_id(pair: Pair, tenants: tuple[Tenant, Tenant]) -> None:
    """Else two equal refusals of a bad field would prove nothing."""
    ours, _ = tenants
    for rpc in RPCS:
        if any(verb in rpc for verb in ("Create", "Remove", "Revoke")):
            continue  # they would change what the others are about
        if rpc.endswith(("ListOrganizations", "StreamEvents")):
            continue  # user_id is for services, and a stream for them alone
        told = await outcome(method(pair, rpc)(valid_request(rpc, ours), metadata=caller(rpc, ours)))
        known = (
            b"ETAG_MISMATCH", b"ALREADY_A_MEMBER", b"OWNER_EXISTS", b"LAST_OWNER",
            b"THROTTLED", b"INVITATION_NOT_FOUND",
        )  # fmt: skip
        assert told.startswith(b"OK") or any(reason in told for reason in known), (rpc, told)


async def test_an_organization_of_others_by_slug_is_like_one_that_does_not_exist(
    pair: Pair, people: People, tenancy: grpc.aio.Channel
) -> None:
    ada, zoe = await people.persons(2)
    stub, slug = OrganizationServiceStub(tenancy), people.slug()
    await stub.CreateOrganization(CreateOrganizationRequest(slug=slug), metadata=ada.metadata)
    hidden = await outcome(stub.GetOrganization(GetOrganizationRequest(slug=slug), metadata=zoe.metadata))
    absent = await outcome(stub.GetOrganization(GetOrganizationRequest(slug=people.slug()), metadata=zoe.metadata))
    assert hidden == absent
    assert b"PERMISSION_DENIED" in hidden


async def test_a_request_id_that_somebody_else_has_used_is_like_a_new_one(
    people: People, tenancy: grpc.aio.Channel
) -> None:
    ada, zoe = await people.persons(2)
    stub, request = OrganizationServiceStub(tenancy), CreateOrganizationRequest(slug=people.slug())
    request.request_id = str(uuid4())
    await stub.CreateOrganization(request, metadata=ada.metadata)
    hidden = await outcome(stub.CreateOrganization(request, metadata=zoe.metadata))
    request.request_id = str(uuid4())
    assert hidden == await outcome(stub.CreateOrganization(request, metadata=zoe.metadata))
    assert b"SLUG_TAKEN" in hidden
