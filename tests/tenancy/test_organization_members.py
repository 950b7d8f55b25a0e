"""tenancy.v1.OrganizationMemberService: the grant rule and the last owner."""

from typing import Any
from uuid import uuid4

import grpc
import pytest

from protos.tenancy.v1 import organization_members_pb2 as pb
from protos.tenancy.v1.access_pb2 import CheckAccessRequest
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from protos.tenancy.v1.organization_members_pb2_grpc import OrganizationMemberServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole, RoleSource
from shared.reasons import Reason
from tenancy_service.permissions import OrgRole as Role
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails


@pytest.fixture(scope="module")
def members(tenancy: grpc.aio.Channel) -> OrganizationMemberServiceStub:
    return OrganizationMemberServiceStub(tenancy)


def change(organization_id: str, user_id: str, role: str, etag: str = "") -> pb.UpdateOrganizationMemberRequest:
    return pb.UpdateOrganizationMemberRequest(
        organization_id=organization_id,
        user_id=user_id,
        role=OrgRole.Value(f"ORG_ROLE_{role}"),
        etag=etag,
    )


async def test_a_service_adds_a_member_once(members: OrganizationMemberServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    request = pb.AddOrganizationMemberRequest(
        organization_id=await people.organization(ada), user_id=bo.user_id, role=OrgRole.ORG_ROLE_MEMBER
    )
    added = (await members.AddOrganizationMember(request, metadata=AS_OPERATOR)).member
    assert (added.user_id, added.role) == (bo.user_id, OrgRole.ORG_ROLE_MEMBER)
    async with fails(Reason.ALREADY_A_MEMBER):
        await members.AddOrganizationMember(request, metadata=AS_OPERATOR)
    request.user_id = str(uuid4())
    async with fails(Reason.USER_NOT_FOUND):
        await members.AddOrganizationMember(request, metadata=AS_OPERATOR)


async def test_a_person_adds_nobody_alone_and_with_a_service_only_up_to_their_own_role(
    members: OrganizationMemberServiceStub, people: People
) -> None:
    ada, bo, cy, di = await people.persons(4)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=cy)
    request = pb.AddOrganizationMemberRequest(organization_id=acme, user_id=di.user_id, role=OrgRole.ORG_ROLE_OWNER)
    async with fails(Reason.SERVICE_KEY_REQUIRED):
        await members.AddOrganizationMember(request, metadata=ada.metadata)
    async with fails(Reason.ROLE_ABOVE_CALLER):
        await members.AddOrganizationMember(request, metadata=AS_OPERATOR + bo.metadata)
    async with fails(Reason.PERMISSION_DENIED):
        await members.AddOrganizationMember(request, metadata=AS_OPERATOR + cy.metadata)
    request.role = OrgRole.ORG_ROLE_ADMIN
    await members.AddOrganizationMember(request, metadata=AS_OPERATOR + bo.metadata)


async def test_members_are_listed_complete_and_in_pages(members: OrganizationMemberServiceStub, people: People) -> None:
    ada, bo, cy, di, guest = await people.persons(5)
    acme = await people.organization(ada, MEMBER=[bo, cy, di], GUEST=guest)
    found: list[Any] = []
    token = ""
    while True:
        request = pb.ListOrganizationMembersRequest(organization_id=acme, page_size=2, page_token=token)
        page = await members.ListOrganizationMembers(request, metadata=bo.metadata)
        found += page.members
        token = page.next_page_token
        if not token:
            break
    assert [member.user_id for member in found] == sorted(p.user_id for p in (ada, bo, cy, di, guest))
    request = pb.ListOrganizationMembersRequest(organization_id=acme)
    assert len((await members.ListOrganizationMembers(request, metadata=AS_OPERATOR)).members) == 5
    async with fails(Reason.PERMISSION_DENIED):
        await members.ListOrganizationMembers(request, metadata=guest.metadata)


@pytest.mark.parametrize("caller", Role)
@pytest.mark.parametrize("target", Role)
@pytest.mark.parametrize("granted", Role)
async def test_nobody_grants_or_changes_a_role_above_their_own(
    members: OrganizationMemberServiceStub, people: People, caller: Role, target: Role, granted: Role
) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, **{caller.name: bo})
    await people.add(acme, cy, target.name)
    request = change(acme, cy.user_id, granted.name)
    if caller < Role.ADMIN:
        async with fails(Reason.PERMISSION_DENIED):
            await members.UpdateOrganizationMember(request, metadata=bo.metadata)
    elif max(target, granted) > caller:
        async with fails(Reason.ROLE_ABOVE_CALLER):
            await members.UpdateOrganizationMember(request, metadata=bo.metadata)
    else:
        updated = await members.UpdateOrganizationMember(request, metadata=bo.metadata)
        assert updated.member.role == granted.value


async def test_nobody_raises_themselves(members: OrganizationMemberServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, ADMIN=bo)
    async with fails(Reason.ROLE_ABOVE_CALLER):
        await members.UpdateOrganizationMember(change(acme, bo.user_id, "OWNER"), metadata=bo.metadata)


async def test_the_last_owner_cannot_be_demoted_removed_or_leave(
    members: OrganizationMemberServiceStub, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, OWNER=bo)
    await members.UpdateOrganizationMember(change(acme, ada.user_id, "ADMIN"), metadata=bo.metadata)
    async with fails(Reason.LAST_OWNER):
        await members.UpdateOrganizationMember(change(acme, bo.user_id, "ADMIN"), metadata=bo.metadata)
    leave = pb.RemoveOrganizationMemberRequest(organization_id=acme, user_id=bo.user_id)
    async with fails(Reason.LAST_OWNER):
        await members.RemoveOrganizationMember(leave, metadata=bo.metadata)
    async with fails(Reason.ROLE_ABOVE_CALLER):
        await members.RemoveOrganizationMember(leave, metadata=ada.metadata)


async def test_everybody_may_leave_and_only_administrators_remove(
    members: OrganizationMemberServiceStub, people: People
) -> None:
    ada, bo, cy, guest = await people.persons(4)
    acme = await people.organization(ada, MEMBER=[bo, cy], GUEST=guest)
    remove = pb.RemoveOrganizationMemberRequest(organization_id=acme, user_id=cy.user_id)
    async with fails(Reason.PERMISSION_DENIED):
        await members.RemoveOrganizationMember(remove, metadata=bo.metadata)
    await members.RemoveOrganizationMember(remove, metadata=ada.metadata)
    async with fails(Reason.MEMBER_NOT_FOUND):
        await members.RemoveOrganizationMember(remove, metadata=ada.metadata)
    remove.user_id = guest.user_id
    await members.RemoveOrganizationMember(remove, metadata=guest.metadata)
    async with fails(Reason.PERMISSION_DENIED):
        await members.RemoveOrganizationMember(remove, metadata=guest.metadata)


async def test_a_stale_etag_of_a_membership_is_refused(members: OrganizationMemberServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    first = await members.UpdateOrganizationMember(change(acme, bo.user_id, "GUEST", "1"), metadata=ada.metadata)
    async with fails(Reason.ETAG_MISMATCH):
        await members.UpdateOrganizationMember(change(acme, bo.user_id, "ADMIN", "1"), metadata=ada.metadata)
    again = change(acme, bo.user_id, "ADMIN", first.member.etag)
    await members.UpdateOrganizationMember(again, metadata=ada.metadata)


async def test_removing_a_member_removes_their_overrides_and_adding_them_again_revives_nothing(
    members: OrganizationMemberServiceStub, people: People, tenancy: grpc.aio.Channel
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    api = await people.project(acme, ada, ADMIN=bo)
    request = pb.RemoveOrganizationMemberRequest(organization_id=acme, user_id=bo.user_id)
    await members.RemoveOrganizationMember(request, metadata=ada.metadata)
    await people.add(acme, bo, "MEMBER")
    check = CheckAccessRequest(project_id=api, permission="project:update")
    answer = await AccessServiceStub(tenancy).CheckAccess(check, metadata=bo.metadata)
    assert (answer.allowed, answer.project_role) == (False, ProjectRole.PROJECT_ROLE_VIEWER)


async def test_whoever_becomes_owner_loses_the_overrides_that_would_return_later(
    members: OrganizationMemberServiceStub, people: People, tenancy: grpc.aio.Channel
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    api = await people.project(acme, ada, NONE=bo)
    for role in ("OWNER", "MEMBER"):
        await members.UpdateOrganizationMember(change(acme, bo.user_id, role), metadata=ada.metadata)
    check = CheckAccessRequest(project_id=api, permission="project:read")
    answer = await AccessServiceStub(tenancy).CheckAccess(check, metadata=bo.metadata)
    assert (answer.allowed, answer.source) == (True, RoleSource.ROLE_SOURCE_INHERITED)


async def test_all_bad_fields_are_named_at_once(members: OrganizationMemberServiceStub, people: People) -> None:
    ada = await people.person()
    request = pb.UpdateOrganizationMemberRequest(organization_id="acme", user_id="bo", request_id="once", etag="\0")
    request.update_mask.paths[:] = ["role", "expire_time"]
    request.expire_time.seconds = 2**40
    async with fails(Reason.BAD_REQUEST) as failure:
        await members.UpdateOrganizationMember(request, metadata=ada.metadata)
    assert failure.fields == {
        "organization_id": "a UUID of 36 characters is needed",
        "user_id": "a UUID of 36 characters is needed",
        "etag": "not an etag of ours",
        "role": "one of GUEST, MEMBER, ADMIN, OWNER is needed",
        "expire_time": "not a time of the years 1 to 9999",
        "request_id": "a UUID of 36 characters is needed",
    }
