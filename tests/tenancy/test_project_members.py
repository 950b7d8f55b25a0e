"""tenancy.v1.ProjectMemberService: overrides in both directions."""

from typing import Any

import grpc
import pytest

from protos.tenancy.v1 import project_members_pb2 as pb
from protos.tenancy.v1.project_members_pb2_grpc import ProjectMemberServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole, RoleSource
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails


@pytest.fixture(scope="module")
def members(tenancy: grpc.aio.Channel) -> ProjectMemberServiceStub:
    return ProjectMemberServiceStub(tenancy)


def role(name: str) -> Any:
    return ProjectRole.Value(f"PROJECT_ROLE_{name}")


async def test_a_role_is_set_higher_or_lower_and_cleared_again(
    members: ProjectMemberServiceStub, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    api = await people.project(acme, ada)
    for name in ("ADMIN", "EDITOR", "VIEWER", "NONE"):
        request = pb.SetProjectRoleRequest(project_id=api, user_id=bo.user_id, role=role(name))
        member = (await members.SetProjectRole(request, metadata=ada.metadata)).member
        assert (member.role, member.source) == (role(name), RoleSource.ROLE_SOURCE_OVERRIDE)
        assert not member.inherited_from_org
        assert member.HasField("update_time")
    clear = pb.ClearProjectRoleRequest(project_id=api, user_id=bo.user_id)
    for _ in range(2):  # clearing what is not there is no error
        member = (await members.ClearProjectRole(clear, metadata=ada.metadata)).member
        assert (member.role, member.source) == (role("VIEWER"), RoleSource.ROLE_SOURCE_INHERITED)
        assert member.inherited_from_org
        assert not member.HasField("update_time")


async def test_the_list_has_everybody_with_a_role_or_an_override_and_says_where_it_comes_from(
    members: ProjectMemberServiceStub, people: People
) -> None:
    ada, bo, cy, di, guest, lent = await people.persons(6)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=[cy, di], GUEST=[guest, lent])
    api = await people.project(acme, ada, NONE=cy, EDITOR=lent)
    found: list[Any] = []
    token = ""
    while True:
        request = pb.ListProjectMembersRequest(project_id=api, page_size=2, page_token=token)
        page = await members.ListProjectMembers(request, metadata=di.metadata)
        found += page.members
        token = page.next_page_token
        if not token:
            break
    assert [member.user_id for member in found] == sorted(p.user_id for p in (ada, bo, cy, di, lent))
    told = {member.user_id: (member.organization_role, member.role, member.source) for member in found}
    assert told == {
        ada.user_id: (OrgRole.ORG_ROLE_OWNER, role("ADMIN"), RoleSource.ROLE_SOURCE_OWNER),
        bo.user_id: (OrgRole.ORG_ROLE_ADMIN, role("ADMIN"), RoleSource.ROLE_SOURCE_INHERITED),
        cy.user_id: (OrgRole.ORG_ROLE_MEMBER, role("NONE"), RoleSource.ROLE_SOURCE_OVERRIDE),
        di.user_id: (OrgRole.ORG_ROLE_MEMBER, role("VIEWER"), RoleSource.ROLE_SOURCE_INHERITED),
        lent.user_id: (OrgRole.ORG_ROLE_GUEST, role("EDITOR"), RoleSource.ROLE_SOURCE_OVERRIDE),
    }
    request = pb.ListProjectMembersRequest(project_id=api)
    assert len((await members.ListProjectMembers(request, metadata=AS_OPERATOR)).members) == 5
    for person in (cy, guest):
        async with fails(Reason.PERMISSION_DENIED):
            await members.ListProjectMembers(request, metadata=person.metadata)


async def test_an_override_counts_on_its_own_project_only(members: ProjectMemberServiceStub, people: People) -> None:
    ada, bo, guest = await people.persons(3)
    acme = await people.organization(ada, MEMBER=bo, GUEST=guest)
    await people.project(acme, ada, ADMIN=bo, EDITOR=guest)
    other = await people.project(acme, ada)
    listed = await members.ListProjectMembers(pb.ListProjectMembersRequest(project_id=other), metadata=ada.metadata)
    found = {member.user_id: member.role for member in listed.members}
    assert found == {ada.user_id: role("ADMIN"), bo.user_id: role("VIEWER")}


async def test_owners_cannot_be_overridden(members: ProjectMemberServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    api = await people.project(await people.organization(ada, OWNER=bo), ada)
    request = pb.SetProjectRoleRequest(project_id=api, user_id=bo.user_id, role=role("NONE"))
    async with fails(Reason.OWNER_NOT_OVERRIDABLE):
        await members.SetProjectRole(request, metadata=ada.metadata)


async def test_only_project_administrators_set_roles_and_a_lowered_one_cannot_raise_themselves(
    members: ProjectMemberServiceStub, people: People
) -> None:
    ada, bo, cy, di = await people.persons(4)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=[cy, di])
    api = await people.project(acme, ada, EDITOR=bo, ADMIN=cy)
    raise_bo = pb.SetProjectRoleRequest(project_id=api, user_id=bo.user_id, role=role("ADMIN"))
    clear_bo = pb.ClearProjectRoleRequest(project_id=api, user_id=bo.user_id)
    for person in (bo, di):
        async with fails(Reason.PERMISSION_DENIED):
            await members.SetProjectRole(raise_bo, metadata=person.metadata)
        async with fails(Reason.PERMISSION_DENIED):
            await members.ClearProjectRole(clear_bo, metadata=person.metadata)
    await members.SetProjectRole(raise_bo, metadata=cy.metadata)  # ADMIN of the project by override


async def test_only_members_of_the_organization_can_be_given_a_role(
    members: ProjectMemberServiceStub, people: People
) -> None:
    ada, outsider = await people.persons(2)
    api = await people.project(await people.organization(ada), ada)
    request = pb.SetProjectRoleRequest(project_id=api, user_id=outsider.user_id, role=role("VIEWER"))
    async with fails(Reason.MEMBER_NOT_FOUND):
        await members.SetProjectRole(request, metadata=ada.metadata)
    clear = pb.ClearProjectRoleRequest(project_id=api, user_id=outsider.user_id)
    async with fails(Reason.MEMBER_NOT_FOUND):
        await members.ClearProjectRole(clear, metadata=ada.metadata)


async def test_a_role_must_be_named(members: ProjectMemberServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    api = await people.project(await people.organization(ada, MEMBER=bo), ada)
    async with fails(Reason.BAD_REQUEST) as failure:
        await members.SetProjectRole(
            pb.SetProjectRoleRequest(project_id=api, user_id=bo.user_id), metadata=ada.metadata
        )
    assert failure.fields == {"role": "one of NONE, VIEWER, EDITOR, ADMIN is needed"}
