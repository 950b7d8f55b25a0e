"""What has expired or was deleted grants nothing and answers like what never was.

Nothing waits here for a membership to expire: its time is written.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from google.protobuf.message import Message

from protos.tenancy.v1.access_pb2 import CheckAccessRequest
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from protos.tenancy.v1.organization_members_pb2 import ListOrganizationMembersRequest, RemoveOrganizationMemberRequest
from protos.tenancy.v1.organization_members_pb2_grpc import OrganizationMemberServiceStub
from protos.tenancy.v1.organizations_pb2 import (
    DeleteOrganizationRequest,
    GetOrganizationRequest,
    ListOrganizationsRequest,
)
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.project_members_pb2 import ListProjectMembersRequest
from protos.tenancy.v1.project_members_pb2_grpc import ProjectMemberServiceStub
from protos.tenancy.v1.projects_pb2 import DeleteProjectRequest, ListProjectsRequest
from protos.tenancy.v1.projects_pb2_grpc import ProjectServiceStub
from protos.tenancy.v1.roles_pb2 import RoleSource
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails, outcome
from tests.tenancy.rpcs import call
from tests.tenancy.test_cross_tenant import ALL_FIELDS, Tenant, answer, invitation, method, put, valid_request

Write = Callable[..., Awaitable[None]]
EXPIRE = (
    "UPDATE organization_members SET expire_time = now() - interval '1 s' WHERE organization_id = %s AND user_id = %s"
)
EXPIRE_SOON = "UPDATE organization_members SET expire_time = now() + interval '1 h' WHERE user_id = %s"
# Who may undelete a place may know that it is deleted.
PLACES = [
    (rpc, path) for rpc, path in ALL_FIELDS if path[-1] in ("organization_id", "project_id") and "/Undelete" not in rpc
]


@pytest.fixture(scope="module")
def write(pair: Pair) -> Write:
    async def execute(statement: Any, *values: str) -> None:
        async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
            await connection.execute(statement, values)

    return execute


async def test_an_expired_membership_is_none(pair: Pair, people: People, write: Write) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    api = await people.project(acme, ada, ADMIN=bo)
    await write(EXPIRE, acme, bo.user_id)
    channel = pair.tenancy.channel
    as_ada: Any
    as_bo: Any
    as_ada, as_bo = {"metadata": ada.metadata}, {"metadata": bo.metadata}

    check = CheckAccessRequest(project_id=api, permission="project:read")
    told = await AccessServiceStub(channel).CheckAccess(check, **as_bo)
    assert (told.allowed, told.source) == (False, RoleSource.ROLE_SOURCE_NOT_A_MEMBER)
    async with fails(Reason.PERMISSION_DENIED):
        await OrganizationServiceStub(channel).GetOrganization(GetOrganizationRequest(organization_id=acme), **as_bo)
    mine = await OrganizationServiceStub(channel).ListOrganizations(ListOrganizationsRequest(), **as_bo)
    assert list(mine.organizations) == []
    listed: Any = await OrganizationMemberServiceStub(channel).ListOrganizationMembers(
        ListOrganizationMembersRequest(organization_id=acme), **as_ada
    )
    assert [member.user_id for member in listed.members] == [ada.user_id]
    listed = await ProjectMemberServiceStub(channel).ListProjectMembers(
        ListProjectMembersRequest(project_id=api), **as_ada
    )
    assert [member.user_id for member in listed.members] == [ada.user_id]


async def test_the_database_takes_no_owner_who_would_expire(people: People, write: Write) -> None:
    ada = await people.person()
    await people.organization(ada)
    with pytest.raises(psycopg.errors.CheckViolation, match="owners_do_not_expire"):
        await write(EXPIRE_SOON, ada.user_id)


@pytest.fixture(scope="module", params=["organization", "project"])
async def ours_and_gone(request: Any, people: People, pair: Pair) -> tuple[Tenant, Tenant]:
    """A living tenant, and what its owner has deleted."""
    owner, member = await people.persons(2)
    made = []
    for _ in range(2):
        acme = await people.organization(owner, MEMBER=member)
        api, invited = await people.project(acme, owner), await invitation(pair, owner, acme)
        made.append(Tenant(owner, member, acme, api, invited))
    ours, gone = made
    if request.param == "organization":
        deletion: Message = DeleteOrganizationRequest(organization_id=gone.organization_id, force=True)
    else:
        deletion = DeleteProjectRequest(project_id=gone.project_id)
    await call(pair.tenancy.channel, deletion, owner.metadata)
    if request.param == "project":
        gone.organization_id, gone.invitation_id = str(uuid4()), str(uuid4())
    return ours, gone


@pytest.mark.parametrize(("rpc", "path"), PLACES, ids=[f"{rpc.partition('/')[2]}.{'.'.join(p)}" for rpc, p in PLACES])
async def test_what_is_deleted_answers_like_what_never_was(
    pair: Pair, ours_and_gone: tuple[Tenant, Tenant], rpc: str, path: tuple[str, ...]
) -> None:
    ours, gone = ours_and_gone
    told = await answer(pair, rpc, ours, path, gone.id_of(path[-1]))
    assert told == await answer(pair, rpc, ours, path, str(uuid4()))

    if rpc.endswith("ListAuditEvents"):
        return  # services still read what was done there, also by whom it was deleted

    async def to_a_service(value: str) -> bytes:
        request = valid_request(rpc, ours)
        put(request, path, value)
        return await outcome(method(pair, rpc)(request, metadata=AS_OPERATOR))

    assert await to_a_service(gone.id_of(path[-1])) == await to_a_service(str(uuid4()))


async def test_a_check_on_what_is_deleted_is_a_no(pair: Pair, ours_and_gone: tuple[Tenant, Tenant]) -> None:
    _, gone = ours_and_gone
    for request in (
        CheckAccessRequest(project_id=gone.project_id, permission="project:read"),
        CheckAccessRequest(organization_id=gone.organization_id, permission="organization:read"),
    ):
        told = await AccessServiceStub(pair.tenancy.channel).CheckAccess(request, metadata=gone.owner.metadata)
        assert (told.allowed, told.source) == (False, RoleSource.ROLE_SOURCE_NOT_A_MEMBER)


async def test_lists_leave_out_what_is_deleted(pair: Pair, people: People) -> None:
    ada = await people.person()
    acme, gone = await people.organization(ada), await people.organization(ada)
    api, gone_api = await people.project(acme, ada), await people.project(acme, ada)
    await call(pair.tenancy.channel, DeleteOrganizationRequest(organization_id=gone), ada.metadata)
    await call(pair.tenancy.channel, DeleteProjectRequest(project_id=gone_api), ada.metadata)
    for metadata in (ada.metadata, AS_OPERATOR):
        organizations = await OrganizationServiceStub(pair.tenancy.channel).ListOrganizations(
            ListOrganizationsRequest(user_id=ada.user_id), metadata=metadata
        )
        assert [found.organization_id for found in organizations.organizations] == [acme]
        projects = await ProjectServiceStub(pair.tenancy.channel).ListProjects(
            ListProjectsRequest(organization_id=acme), metadata=metadata
        )
        assert [found.project_id for found in projects.projects] == [api]


async def test_an_outsider_neither_waits_for_nor_holds_another_tenants_lock(pair: Pair, people: People) -> None:
    ada, zoe = await people.persons(2)
    acme = await people.organization(ada)
    remove = RemoveOrganizationMemberRequest(organization_id=acme, user_id=ada.user_id)
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        await connection.execute("SELECT FROM organizations WHERE organization_id = %s FOR UPDATE", (acme,))
        stub = OrganizationMemberServiceStub(pair.tenancy.channel)
        assert b"PERMISSION_DENIED" in await outcome(stub.RemoveOrganizationMember(remove, metadata=zoe.metadata))
        assert b"CONFLICT" in await outcome(stub.RemoveOrganizationMember(remove, metadata=ada.metadata))
