"""Roles on projects that end: from then on the role is inherited again. Rows are aged, nobody waits."""

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from protos.tenancy.v1.access_pb2 import CheckAccessRequest
from protos.tenancy.v1.project_members_pb2 import ListProjectMembersRequest
from protos.tenancy.v1.roles_pb2 import RoleSource
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.tenancy.member_calls import (
    after,
    audited,
    clear_role,
    expire_override,
    get_on_project,
    project_role,
    published,
    set_role,
)
from tests.tenancy.races import rows
from tests.tenancy.rpcs import call

OVERRIDES = "SELECT role, expire_time FROM project_members WHERE project_id = %s"
INHERITED = (project_role("VIEWER"), RoleSource.ROLE_SOURCE_INHERITED)


async def test_a_role_counts_until_its_end_and_then_is_inherited_again(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo, guest = await people.persons(3)
    acme = await people.organization(ada, MEMBER=bo, GUEST=guest)
    api, end = await people.project(acme, ada), after(hours=1)
    for person in (bo, guest):
        member = (await call(tenancy, set_role(api, person.user_id, "ADMIN", expire_time=end), ada.metadata)).member
        assert (member.role, member.expire_time) == (project_role("ADMIN"), end)
    assert (await audited(pair, acme))[-1][-1]["expire_time"] == end.ToDatetime().isoformat() + "+00:00"
    check = CheckAccessRequest(project_id=api, permission="project:update")
    assert (await call(tenancy, check, bo.metadata)).allowed
    listed = (await call(tenancy, ListProjectMembersRequest(project_id=api), bo.metadata)).members
    assert {member.user_id: member.HasField("expire_time") for member in listed} == {
        ada.user_id: False,
        bo.user_id: True,
        guest.user_id: True,
    }

    for person in (bo, guest):
        await expire_override(pair, api, person.user_id)
    told = await call(tenancy, check, bo.metadata)
    assert (told.allowed, told.project_role, told.source) == (False, *INHERITED)
    member = (await call(tenancy, get_on_project(api, bo.user_id), bo.metadata)).member
    assert (member.role, member.source) == INHERITED
    assert (member.HasField("expire_time"), member.HasField("update_time"), member.set_by_user_id) == (False, False, "")
    listed = (await call(tenancy, ListProjectMembersRequest(project_id=api), bo.metadata)).members
    assert {member.user_id for member in listed} == {ada.user_id, bo.user_id}
    for request in (set_role(api, guest.user_id, "EDITOR"), clear_role(api, guest.user_id)):
        async with fails(Reason.PERMISSION_DENIED):
            await call(tenancy, request, bo.metadata)


async def test_a_role_that_has_ended_is_set_anew_or_cleared(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    api = await people.project(acme, ada, ADMIN=bo)
    await expire_override(pair, api, bo.user_id)
    member = (await call(tenancy, set_role(api, bo.user_id, "EDITOR"), AS_OPERATOR)).member
    assert (member.role, member.HasField("expire_time")) == (project_role("EDITOR"), False)
    assert (await audited(pair, acme))[-1][-1] == {"before": "VIEWER", "after": "EDITOR"}
    await expire_override(pair, api, bo.user_id)
    member = (await call(tenancy, clear_role(api, bo.user_id), ada.metadata)).member
    assert (member.role, member.source) == INHERITED
    assert await rows(pair, OVERRIDES, (api,)) == []
    assert (await published(pair, acme))[-1][:2] == ("PROJECT_ROLE_CLEARED", bo.user_id)


async def test_an_end_must_be_a_time_in_the_future(pair: Pair, tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo = await people.persons(2)
    api = await people.project(await people.organization(ada, MEMBER=bo), ada)
    for wrong, what in (
        (after(seconds=-1), "a time in the future is needed"),
        (Timestamp(), "a time in the future is needed"),
        (Timestamp(seconds=2**40), "not a time of the years 1 to 9999"),
        (Timestamp(seconds=1, nanos=-1), "not a time of the years 1 to 9999"),
    ):
        async with fails(Reason.BAD_REQUEST) as failure:
            await call(tenancy, set_role(api, bo.user_id, "ADMIN", expire_time=wrong), ada.metadata)
        assert failure.fields == {"expire_time": what}
    assert await rows(pair, OVERRIDES, (api,)) == []


async def test_nobody_prolongs_their_own_role_but_others_do(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo, cy = await people.persons(3)
    api = await people.project(await people.organization(ada, MEMBER=[bo, cy]), ada, ADMIN=cy)
    await call(tenancy, set_role(api, bo.user_id, "ADMIN", expire_time=after(hours=2)), ada.metadata)
    for request in (
        set_role(api, bo.user_id, "ADMIN"),
        set_role(api, bo.user_id, "ADMIN", expire_time=after(hours=3)),
        set_role(api, bo.user_id, "EDITOR"),
    ):
        async with fails(Reason.ROLE_ABOVE_CALLER):
            await call(tenancy, request, bo.metadata)
    await call(tenancy, set_role(api, bo.user_id, "ADMIN", expire_time=after(hours=1)), bo.metadata)
    for metadata in (cy.metadata, AS_OPERATOR):
        await call(tenancy, set_role(api, bo.user_id, "ADMIN", expire_time=after(hours=3)), metadata)
    member = (await call(tenancy, set_role(api, bo.user_id, "ADMIN"), cy.metadata)).member
    assert not member.HasField("expire_time")
