"""tenancy.v1.OrganizationMemberService/LeaveOrganization."""

from uuid import uuid4

import grpc

from protos.tenancy.v1.organization_members_pb2 import LeaveOrganizationRequest
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails, outcome
from tests.tenancy.member_calls import audited, expire_member, get, get_on_project, project_role
from tests.tenancy.rpcs import call


async def test_everybody_may_leave_and_is_gone_with_their_overrides(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo, guest = await people.persons(3)
    acme = await people.organization(ada, MEMBER=bo, GUEST=guest)
    api = await people.project(acme, ada, ADMIN=bo, EDITOR=guest)
    leave = LeaveOrganizationRequest(organization_id=acme)
    for person, role in ((bo, "MEMBER"), (guest, "GUEST")):
        await call(tenancy, leave, person.metadata)
        async with fails(Reason.MEMBER_NOT_FOUND):
            await call(tenancy, get(acme, person.user_id), ada.metadata)
        gone = ("MEMBER_LEFT", person.user_id, person.user_id, None, {"before": role})
        assert (await audited(pair, acme))[-1] == gone
        async with fails(Reason.PERMISSION_DENIED):
            await call(tenancy, leave, person.metadata)
    await people.add(acme, bo, "MEMBER")
    member = (await call(tenancy, get_on_project(api, bo.user_id), ada.metadata)).member
    assert (member.role, member.inherited_from_org) == (project_role("VIEWER"), True)


async def test_an_owner_leaves_only_where_another_stays(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, OWNER=bo)
    leave = LeaveOrganizationRequest(organization_id=acme)
    await call(tenancy, leave, ada.metadata)
    async with fails(Reason.LAST_OWNER):
        await call(tenancy, leave, bo.metadata)


async def test_a_service_leaves_nothing_and_who_is_not_there_learns_nothing(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo, outsider = await people.persons(3)
    acme = await people.organization(ada, MEMBER=bo)
    leave, nowhere = (LeaveOrganizationRequest(organization_id=each) for each in (acme, str(uuid4())))
    async with fails(Reason.SESSION_REQUIRED):
        await call(tenancy, leave, AS_OPERATOR)
    await expire_member(pair, acme, bo.user_id)
    for person in (bo, outsider):
        hidden = await outcome(call(tenancy, leave, person.metadata))
        assert hidden == await outcome(call(tenancy, nowhere, person.metadata))
        assert b"PERMISSION_DENIED" in hidden


async def test_a_person_with_a_service_leaves_themselves(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    await call(tenancy, LeaveOrganizationRequest(organization_id=acme), AS_OPERATOR + bo.metadata)
    async with fails(Reason.MEMBER_NOT_FOUND):
        await call(tenancy, get(acme, bo.user_id), AS_OPERATOR)
