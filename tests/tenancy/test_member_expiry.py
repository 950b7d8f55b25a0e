"""Memberships that end: until then they are whole, from then on they are not there. Rows are aged, nobody waits."""

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from protos.tenancy.v1.access_pb2 import CheckAccessRequest
from protos.tenancy.v1.organization_members_pb2 import ListOrganizationMembersRequest
from protos.tenancy.v1.roles_pb2 import RoleSource
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.tenancy.member_calls import (
    add,
    after,
    expire_member,
    get,
    get_on_project,
    org_role,
    project_role,
    remove,
    set_role,
    update,
)
from tests.tenancy.rpcs import call

FOR_EVER = FieldMask(paths=["expire_time"])


async def test_a_membership_counts_until_its_end_and_then_is_not_there(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme, end = await people.organization(ada), after(hours=1)
    added = await call(tenancy, add(acme, bo.user_id, "ADMIN", expire_time=end), AS_OPERATOR)
    assert added.member.expire_time == end
    check = CheckAccessRequest(organization_id=acme, permission="members:update")
    assert (await call(tenancy, check, bo.metadata)).allowed
    assert (await call(tenancy, get(acme, bo.user_id), bo.metadata)).member.expire_time == end

    await expire_member(pair, acme, bo.user_id)
    told = await call(tenancy, check, bo.metadata)
    assert (told.allowed, told.source) == (False, RoleSource.ROLE_SOURCE_NOT_A_MEMBER)
    for request in (get(acme, bo.user_id), update(acme, bo.user_id, "GUEST"), remove(acme, bo.user_id)):
        async with fails(Reason.MEMBER_NOT_FOUND):
            await call(tenancy, request, ada.metadata)
        async with fails(Reason.PERMISSION_DENIED):
            await call(tenancy, request, bo.metadata)
    listed = await call(tenancy, ListOrganizationMembersRequest(organization_id=acme), ada.metadata)
    assert [member.user_id for member in listed.members] == [ada.user_id]


async def test_who_is_added_anew_after_the_end_gets_nothing_of_before(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    api = await people.project(acme, ada, ADMIN=bo)
    async with fails(Reason.ALREADY_A_MEMBER):
        await call(tenancy, add(acme, bo.user_id, "GUEST"), AS_OPERATOR)
    await expire_member(pair, acme, bo.user_id)
    async with fails(Reason.MEMBER_NOT_FOUND):
        await call(tenancy, set_role(api, bo.user_id, "EDITOR"), ada.metadata)
    added = (await call(tenancy, add(acme, bo.user_id, "MEMBER"), AS_OPERATOR)).member
    assert (added.role, added.HasField("expire_time"), added.etag) == (org_role("MEMBER"), False, "1")
    member = (await call(tenancy, get_on_project(api, bo.user_id), ada.metadata)).member
    assert (member.role, member.inherited_from_org) == (project_role("VIEWER"), True)


@pytest.mark.parametrize("wrong", [after(seconds=-1), Timestamp(), Timestamp(seconds=-62135596800)])
async def test_an_end_must_be_in_the_future(tenancy: grpc.aio.Channel, people: People, wrong: Timestamp) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, MEMBER=bo)
    await expect_bad_end(tenancy, add(acme, cy.user_id, "GUEST", expire_time=wrong), "a time in the future is needed")
    await expect_bad_end(tenancy, update(acme, bo.user_id, expire_time=wrong), "a time in the future is needed")
    assert not (await call(tenancy, get(acme, bo.user_id), ada.metadata)).member.HasField("expire_time")


async def test_an_end_must_be_a_time(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    request = update(acme, bo.user_id, expire_time=Timestamp(seconds=2**40))
    await expect_bad_end(tenancy, request, "not a time of the years 1 to 9999")


async def test_whether_an_end_is_past_is_told_only_to_who_may_set_it(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    async with fails(Reason.PERMISSION_DENIED):
        await call(tenancy, update(acme, bo.user_id, expire_time=after(hours=-1)), bo.metadata)


async def test_nobody_prolongs_their_own_membership_but_others_do(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, ADMIN=cy)
    await call(tenancy, add(acme, bo.user_id, "ADMIN", expire_time=after(hours=2)), AS_OPERATOR)
    for request in (
        update(acme, bo.user_id, expire_time=after(hours=3)),
        update(acme, bo.user_id, update_mask=FOR_EVER),
        update(acme, bo.user_id, "GUEST", expire_time=after(hours=3)),
    ):
        for metadata in (bo.metadata, AS_OPERATOR + bo.metadata):
            async with fails(Reason.ROLE_ABOVE_CALLER) as failure:
                await call(tenancy, request, metadata)
            assert failure.metadata == {"role": "GUEST" if request.role else "ADMIN"}
    await call(tenancy, update(acme, bo.user_id, expire_time=after(hours=1)), bo.metadata)
    for metadata in (cy.metadata, AS_OPERATOR):
        await call(tenancy, update(acme, bo.user_id, expire_time=after(hours=3)), metadata)
    await call(tenancy, update(acme, bo.user_id, update_mask=FOR_EVER), ada.metadata)


async def expect_bad_end(tenancy: grpc.aio.Channel, request: Any, what: str) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await call(tenancy, request, AS_OPERATOR)
    assert failure.fields == {"expire_time": what}
