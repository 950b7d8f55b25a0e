"""Ownership given to another member: in one transaction, and never without an owner."""

from uuid import uuid4

import grpc
import pytest

from protos.tenancy.v1 import organizations_pb2 as pb
from protos.tenancy.v1.roles_pb2 import OrgRole
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails
from tests.tenancy import races
from tests.tenancy.rpcs import call, everything_of

ROLES = "SELECT user_id::text, role FROM organization_members WHERE organization_id = %s"
EXPIRE = "UPDATE organization_members SET expire_time = now() + %s::interval WHERE user_id = %s RETURNING 1"


def to(organization_id: str, person: TestPerson, **fields: object) -> pb.TransferOwnershipRequest:
    return pb.TransferOwnershipRequest(
        organization_id=organization_id,
        user_id=person.user_id,
        **fields,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("role", ["GUEST", "MEMBER", "ADMIN", "OWNER"])
async def test_another_member_becomes_owner_and_the_caller_administrator(
    tenancy: grpc.aio.Channel, people: People, pair: Pair, role: str
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, **{role: bo})
    told = (await call(tenancy, to(acme, bo), ada.metadata)).organization
    assert told.caller_role == OrgRole.ORG_ROLE_ADMIN
    assert "organization:update" in told.authorized_actions
    assert "organization:transfer" not in told.authorized_actions
    assert dict(await races.rows(pair, ROLES, [acme])) == {ada.user_id: "ADMIN", bo.user_id: "OWNER"}
    written = """SELECT details FROM audit_events WHERE organization_id = %s AND action = 'OWNERSHIP_TRANSFERRED'
                 AND actor_user_id = %s AND target_user_id = %s"""
    assert await races.rows(pair, written, [acme, ada.user_id, bo.user_id]) == [({"before": role},)]
    events = "SELECT user_id::text FROM events WHERE organization_id = %s AND type = 'MEMBER_UPDATED' ORDER BY event_id"
    changed = [row[0] for row in await races.rows(pair, events, [acme])]
    assert changed == ([ada.user_id] if role == "OWNER" else [bo.user_id, ada.user_id])


async def test_overrides_of_the_new_owner_go_and_their_membership_lasts(
    tenancy: grpc.aio.Channel, people: People, pair: Pair
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    await people.project(acme, ada, NONE=bo)
    await races.rows(pair, EXPIRE, ["1 hour", bo.user_id])
    await call(tenancy, to(acme, bo), ada.metadata)
    after = await everything_of(pair, acme)
    assert after["project_members"] == []
    lasting = "SELECT expire_time FROM organization_members WHERE user_id = %s"
    assert await races.rows(pair, lasting, [bo.user_id]) == [(None,)]


async def test_the_other_must_be_an_active_member(tenancy: grpc.aio.Channel, people: People, pair: Pair) -> None:
    ada, bo, zoe = await people.persons(3)
    acme = await people.organization(ada, ADMIN=bo)
    await races.rows(pair, EXPIRE, ["-1 s", bo.user_id])
    before = await everything_of(pair, acme)
    for person in (bo, zoe):
        async with fails(Reason.MEMBER_NOT_FOUND):
            await call(tenancy, to(acme, person), ada.metadata)
    async with fails(Reason.BAD_REQUEST) as failure:
        await call(tenancy, to(acme, ada), ada.metadata)
    assert failure.fields == {"user_id": "this is you; another member is needed"}
    assert await everything_of(pair, acme) == before


async def test_only_owners_transfer_and_a_service_key_adds_nothing(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo, cy, zoe = await people.persons(4)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=cy)
    for person in (bo, cy, zoe):
        for metadata in (person.metadata, AS_OPERATOR + person.metadata):
            async with fails(Reason.PERMISSION_DENIED):
                await call(tenancy, to(acme, ada), metadata)
    async with fails(Reason.SESSION_REQUIRED):
        await call(tenancy, to(acme, bo), AS_OPERATOR)


async def test_a_stale_etag_transfers_nothing(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    async with fails(Reason.ETAG_MISMATCH):
        await call(tenancy, to(acme, bo, etag="stale"), ada.metadata)
    read = await call(tenancy, pb.GetOrganizationRequest(organization_id=acme), ada.metadata)
    await call(tenancy, to(acme, bo, etag=read.organization.etag), ada.metadata)


async def test_a_repeated_transfer_gets_the_first_response_though_the_caller_is_no_owner_any_more(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo = await people.persons(2)
    request = to(await people.organization(ada, MEMBER=bo), bo, request_id=str(uuid4()))
    first = await call(tenancy, request, ada.metadata)
    assert await call(tenancy, request, ada.metadata) == first
    request.request_id = str(uuid4())
    async with fails(Reason.PERMISSION_DENIED):
        await call(tenancy, request, ada.metadata)


async def test_a_preview_tells_of_both_and_changes_nothing(
    tenancy: grpc.aio.Channel, people: People, pair: Pair
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    before = await everything_of(pair, acme)
    told = await call(tenancy, to(acme, bo, validate_only=True), ada.metadata)
    before_it = {change.user_id: change.organization_role_before for change in told.changes}
    after_it = {change.user_id: change.organization_role_after for change in told.changes}
    assert before_it == {ada.user_id: OrgRole.ORG_ROLE_OWNER, bo.user_id: OrgRole.ORG_ROLE_MEMBER}
    assert after_it == {ada.user_id: OrgRole.ORG_ROLE_ADMIN, bo.user_id: OrgRole.ORG_ROLE_OWNER}
    assert await everything_of(pair, acme) == before


async def test_who_owns_enough_already_is_not_made_an_owner(
    tenancy: grpc.aio.Channel, people: People, pair: Pair
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    await races.organizations(pair, pair.tenancy_settings.organizations_per_user, OWNER=bo.user_id)
    async with fails(Reason.QUOTA_EXCEEDED) as failure:
        await call(tenancy, to(acme, bo), ada.metadata)
    assert failure.quota_of == f"user:{bo.user_id}"
    assert dict(await races.rows(pair, ROLES, [acme])) == {ada.user_id: "OWNER", bo.user_id: "MEMBER"}
