"""tenancy.v1.ProjectMemberService: who is what on a project and why, read and listed with names of identity's."""

import grpc

from protos.tenancy.v1 import project_members_pb2 as pb
from protos.tenancy.v1.organizations_pb2 import Organization, UpdateOrganizationRequest
from protos.tenancy.v1.roles_pb2 import OrgRole, RoleSource
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.tenancy.member_calls import get_on_project, project_role
from tests.tenancy.rpcs import call
from tests.tenancy.test_member_lists import walk


async def test_the_list_has_everybody_with_a_role_or_an_override_and_says_where_it_comes_from(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo, cy, di, guest, lent = await people.persons(6)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=[cy, di], GUEST=[guest, lent])
    api = await people.project(acme, ada, NONE=cy, EDITOR=lent)
    found = await walk(tenancy, pb.ListProjectMembersRequest(project_id=api, page_size=2), di.metadata)
    assert [member.user_id for member in found] == sorted(p.user_id for p in (ada, bo, cy, di, lent))
    assert {member.email for member in found} == {person.email for person in (ada, bo, cy, di, lent)}
    told = {
        member.user_id: (member.organization_role, member.role, member.source, member.inherited_from_org)
        for member in found
    }
    assert told == {
        ada.user_id: (OrgRole.ORG_ROLE_OWNER, project_role("ADMIN"), RoleSource.ROLE_SOURCE_OWNER, True),
        bo.user_id: (OrgRole.ORG_ROLE_ADMIN, project_role("ADMIN"), RoleSource.ROLE_SOURCE_INHERITED, True),
        cy.user_id: (OrgRole.ORG_ROLE_MEMBER, project_role("NONE"), RoleSource.ROLE_SOURCE_OVERRIDE, False),
        di.user_id: (OrgRole.ORG_ROLE_MEMBER, project_role("VIEWER"), RoleSource.ROLE_SOURCE_INHERITED, True),
        lent.user_id: (OrgRole.ORG_ROLE_GUEST, project_role("EDITOR"), RoleSource.ROLE_SOURCE_OVERRIDE, False),
    }
    request = pb.ListProjectMembersRequest(project_id=api)
    assert len((await call(tenancy, request, AS_OPERATOR)).members) == 5
    for person in (cy, guest):
        async with fails(Reason.PERMISSION_DENIED):
            await call(tenancy, request, person.metadata)


async def test_everybody_on_the_project_reads_what_they_and_others_are_there(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo, guest, locked = await people.persons(4, "Bo")
    acme = await people.organization(ada, MEMBER=[bo, locked], GUEST=guest)
    api = await people.project(acme, ada, NONE=locked, EDITOR=bo)
    for metadata in (bo.metadata, ada.metadata, AS_OPERATOR):
        member = (await call(tenancy, get_on_project(api, bo.user_id), metadata)).member
        assert (member.project_id, member.organization_id, member.user_id) == (api, acme, bo.user_id)
        assert (member.role, member.organization_role) == (project_role("EDITOR"), OrgRole.ORG_ROLE_MEMBER)
        assert (member.source, member.set_by_user_id) == (RoleSource.ROLE_SOURCE_OVERRIDE, ada.user_id)
        assert (member.email, member.display_name) == (bo.email, "Bo")
        member = (await call(tenancy, get_on_project(api, guest.user_id), metadata)).member
        assert (member.role, member.source) == (project_role("NONE"), RoleSource.ROLE_SOURCE_INHERITED)
    for person in (guest, locked):  # who may not see the project does not see themselves in it
        for of in (person, bo):
            async with fails(Reason.PERMISSION_DENIED):
                await call(tenancy, get_on_project(api, of.user_id), person.metadata)


async def test_only_members_of_the_organization_are_something_on_its_project(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, outsider = await people.persons(2)
    api = await people.project(await people.organization(ada), ada)
    async with fails(Reason.MEMBER_NOT_FOUND):
        await call(tenancy, get_on_project(api, outsider.user_id), ada.metadata)
    async with fails(Reason.PERMISSION_DENIED):
        await call(tenancy, get_on_project(api, outsider.user_id), outsider.metadata)


async def test_with_none_as_default_only_who_was_given_a_role_is_listed(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, MEMBER=[bo, cy])
    api = await people.project(acme, ada, VIEWER=cy)
    none = Organization(organization_id=acme, default_project_role=project_role("NONE"))
    await call(tenancy, UpdateOrganizationRequest(organization=none), ada.metadata)
    found = await walk(tenancy, pb.ListProjectMembersRequest(project_id=api, page_size=1), ada.metadata)
    assert {member.user_id for member in found} == {ada.user_id, cy.user_id}
    request = pb.ListProjectMembersRequest(project_id=api, page_size=-1)
    async with fails(Reason.BAD_REQUEST) as failure:
        await call(tenancy, request, ada.metadata)
    assert list(failure.fields) == ["page_size"]
