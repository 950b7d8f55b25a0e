"""tenancy.v1.ProjectMemberService: overrides in both directions, by whom, once, and what is told of them."""

from typing import Any
from uuid import uuid4

import grpc
import pytest

from protos.tenancy.v1 import project_members_pb2 as pb
from protos.tenancy.v1.project_members_pb2_grpc import ProjectMemberServiceStub
from protos.tenancy.v1.roles_pb2 import RoleSource
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.tenancy.member_calls import audited, clear_role, project_role, published, set_role
from tests.tenancy.rpcs import call, everything_of


@pytest.fixture(scope="module")
def members(tenancy: grpc.aio.Channel) -> ProjectMemberServiceStub:
    return ProjectMemberServiceStub(tenancy)


async def test_a_role_is_set_higher_or_lower_and_cleared_again(
    members: ProjectMemberServiceStub, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    api = await people.project(acme, ada)
    for name in ("ADMIN", "EDITOR", "VIEWER", "NONE"):
        request = pb.SetProjectRoleRequest(project_id=api, user_id=bo.user_id, role=project_role(name))
        member = (await members.SetProjectRole(request, metadata=ada.metadata)).member
        assert (member.role, member.source) == (project_role(name), RoleSource.ROLE_SOURCE_OVERRIDE)
        assert not member.inherited_from_org
        assert member.HasField("update_time")
    clear = pb.ClearProjectRoleRequest(project_id=api, user_id=bo.user_id)
    for _ in range(2):  # clearing what is not there is no error
        member = (await members.ClearProjectRole(clear, metadata=ada.metadata)).member
        assert (member.role, member.source) == (project_role("VIEWER"), RoleSource.ROLE_SOURCE_INHERITED)
        assert member.inherited_from_org
        assert not member.HasField("update_time")


async def test_an_override_counts_on_its_own_project_only(members: ProjectMemberServiceStub, people: People) -> None:
    ada, bo, guest = await people.persons(3)
    acme = await people.organization(ada, MEMBER=bo, GUEST=guest)
    await people.project(acme, ada, ADMIN=bo, EDITOR=guest)
    other = await people.project(acme, ada)
    listed = await members.ListProjectMembers(pb.ListProjectMembersRequest(project_id=other), metadata=ada.metadata)
    found = {member.user_id: member.role for member in listed.members}
    assert found == {ada.user_id: project_role("ADMIN"), bo.user_id: project_role("VIEWER")}


async def test_owners_cannot_be_overridden(members: ProjectMemberServiceStub, people: People) -> None:
    ada, bo = await people.persons(2)
    api = await people.project(await people.organization(ada, OWNER=bo), ada)
    request = pb.SetProjectRoleRequest(project_id=api, user_id=bo.user_id, role=project_role("NONE"))
    async with fails(Reason.OWNER_NOT_OVERRIDABLE):
        await members.SetProjectRole(request, metadata=ada.metadata)


async def test_only_project_administrators_set_roles_and_a_lowered_one_cannot_raise_themselves(
    members: ProjectMemberServiceStub, people: People
) -> None:
    ada, bo, cy, di = await people.persons(4)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=[cy, di])
    api = await people.project(acme, ada, EDITOR=bo, ADMIN=cy)
    raise_bo = pb.SetProjectRoleRequest(project_id=api, user_id=bo.user_id, role=project_role("ADMIN"))
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
    request = pb.SetProjectRoleRequest(project_id=api, user_id=outsider.user_id, role=project_role("VIEWER"))
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


async def test_it_is_told_who_set_a_role(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo = await people.persons(2)
    api = await people.project(await people.organization(ada, MEMBER=bo), ada)
    request = set_role(api, bo.user_id, "EDITOR")
    for metadata, by in (
        (ada.metadata, (ada.user_id, "")),
        (AS_OPERATOR, ("", "operator")),
        (AS_OPERATOR + ada.metadata, (ada.user_id, "")),
    ):
        member = (await call(tenancy, request, metadata)).member
        assert (member.set_by_user_id, member.set_by_service) == by
        assert (member.email, member.display_name) == ("", "")


async def test_services_set_and_clear_roles_without_a_session_and_with_one_the_person_decides(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo, cy = await people.persons(3)
    api = await people.project(await people.organization(ada, MEMBER=[bo, cy]), ada)
    for request, inherited in ((set_role(api, bo.user_id, "ADMIN"), False), (clear_role(api, bo.user_id), True)):
        async with fails(Reason.PERMISSION_DENIED):
            await call(tenancy, request, AS_OPERATOR + cy.metadata)
        member = (await call(tenancy, request, AS_OPERATOR)).member
        assert member.inherited_from_org == inherited
    async with fails(Reason.OWNER_NOT_OVERRIDABLE):
        await call(tenancy, set_role(api, ada.user_id, "ADMIN"), AS_OPERATOR)
    async with fails(Reason.MEMBER_NOT_FOUND):
        await call(tenancy, set_role(api, str(uuid4()), "ADMIN"), AS_OPERATOR)
    async with fails(Reason.PERMISSION_DENIED):
        await call(tenancy, set_role(str(uuid4()), bo.user_id, "ADMIN"), AS_OPERATOR)


async def test_a_repeated_request_gets_the_first_response_and_changes_nothing_more(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, MEMBER=[bo, cy])
    api = await people.project(acme, ada, EDITOR=cy)
    for request, other in (
        (set_role(api, bo.user_id, "NONE"), set_role(api, bo.user_id, "ADMIN")),
        (clear_role(api, cy.user_id), clear_role(api, bo.user_id)),
    ):
        request.request_id = other.request_id = str(uuid4())
        first = await call(tenancy, request, ada.metadata)
        left = await everything_of(pair, acme)
        assert await call(tenancy, request, ada.metadata) == first
        async with fails(Reason.REQUEST_ID_REUSED):
            await call(tenancy, other, ada.metadata)
        assert await everything_of(pair, acme) == left


async def test_what_changed_is_written_down_and_published_and_what_did_not_is_not(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    api = await people.project(acme, ada)
    await call(tenancy, clear_role(api, bo.user_id), ada.metadata)  # nothing is there
    await call(tenancy, set_role(api, bo.user_id, "NONE"), ada.metadata)
    await call(tenancy, set_role(api, bo.user_id, "ADMIN"), AS_OPERATOR)
    await call(tenancy, clear_role(api, bo.user_id), bo.metadata)  # an ADMIN of the project lowers themselves
    assert (await audited(pair, acme))[2:] == [
        ("PROJECT_ROLE_SET", bo.user_id, ada.user_id, None, {"before": "VIEWER", "after": "NONE"}),
        ("PROJECT_ROLE_SET", bo.user_id, None, "operator", {"before": "NONE", "after": "ADMIN"}),
        ("PROJECT_ROLE_CLEARED", bo.user_id, bo.user_id, None, {"before": "ADMIN", "after": "VIEWER"}),
    ]
    events: list[Any] = (await published(pair, acme))[2:]
    assert [(type_, user_id) for type_, user_id, _ in events] == [
        ("PROJECT_ROLE_SET", bo.user_id),
        ("PROJECT_ROLE_SET", bo.user_id),
        ("PROJECT_ROLE_CLEARED", bo.user_id),
    ]
    told = pb.ProjectMember.FromString(events[1][2])
    assert (told.project_id, told.user_id, told.role) == (api, bo.user_id, project_role("ADMIN"))
    assert (told.source, told.set_by_service) == (RoleSource.ROLE_SOURCE_OVERRIDE, "operator")
