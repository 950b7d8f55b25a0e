"""tenancy.v1.OrganizationMemberService: how memberships are changed, by whom, once, and what is told of it."""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from protos.tenancy.v1.organization_members_pb2 import LeaveOrganizationRequest, OrganizationMember
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People
from tests.calls import fails, outcome
from tests.tenancy.member_calls import add, after, audited, get, org_role, published, remove, update
from tests.tenancy.races import rows
from tests.tenancy.rpcs import call, everything_of

INVITE = """INSERT INTO invitations
                   (organization_id, invitation_id, email, email_key, role, inviter_user_id, expire_time)
            VALUES (%s, gen_random_uuid(), %s, %s, %s, %s, now() + interval '1 day') RETURNING invitation_id"""
INVITED = "SELECT role, inviter_user_id::text, state FROM invitations WHERE organization_id = %s ORDER BY 1, 2"


def mask(*paths: str) -> FieldMask:
    return FieldMask(paths=paths)


async def test_services_change_and_remove_members_of_every_role_without_a_session(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, OWNER=bo)
    changed = await call(tenancy, update(acme, ada.user_id, "MEMBER"), AS_OPERATOR)
    assert changed.member.role == org_role("MEMBER")
    await call(tenancy, remove(acme, ada.user_id), AS_OPERATOR)
    async with fails(Reason.LAST_OWNER):
        await call(tenancy, remove(acme, bo.user_id), AS_OPERATOR)
    async with fails(Reason.MEMBER_NOT_FOUND):
        await call(tenancy, update(acme, ada.user_id, "GUEST"), AS_OPERATOR)


async def test_with_a_key_and_a_session_the_person_decides(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada, ADMIN=bo, MEMBER=cy)
    for request in (update(acme, ada.user_id, "GUEST"), remove(acme, ada.user_id)):
        async with fails(Reason.ROLE_ABOVE_CALLER):
            await call(tenancy, request, AS_OPERATOR + bo.metadata)
        async with fails(Reason.PERMISSION_DENIED):
            await call(tenancy, request, AS_OPERATOR + cy.metadata)


async def test_only_what_the_mask_names_is_changed_and_an_empty_one_means_what_is_set(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme, soon, later = await people.organization(ada, MEMBER=bo), after(hours=1), after(hours=2)

    async def changed(role: str, **more: Any) -> OrganizationMember:
        member: OrganizationMember = (await call(tenancy, update(acme, bo.user_id, role, **more), ada.metadata)).member
        return member

    member = await changed("", expire_time=soon)
    assert (member.role, member.expire_time) == (org_role("MEMBER"), soon)
    member = await changed("GUEST")
    assert (member.role, member.expire_time) == (org_role("GUEST"), soon)
    member = await changed("ADMIN", expire_time=later, update_mask=mask("role"))
    assert (member.role, member.expire_time) == (org_role("ADMIN"), soon)
    member = await changed("GUEST", expire_time=later, update_mask=mask("expire_time"))
    assert (member.role, member.expire_time) == (org_role("ADMIN"), later)
    member = await changed("MEMBER", update_mask=mask("role", "expire_time"))
    assert (member.role, member.HasField("expire_time")) == (org_role("MEMBER"), False)
    assert (member.email, member.display_name) == ("", "")
    for wrong in (update(acme, bo.user_id), update(acme, bo.user_id, "GUEST", update_mask=mask("user_id"))):
        async with fails(Reason.BAD_REQUEST) as failure:
            await call(tenancy, wrong, ada.metadata)
        assert list(failure.fields) == ["update_mask"]


async def test_an_owner_has_no_end(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo, cy = await people.persons(3)
    acme, soon = await people.organization(ada, OWNER=bo), after(hours=1)
    await call(tenancy, add(acme, cy.user_id, "ADMIN", expire_time=soon), AS_OPERATOR)
    for request in (
        add(acme, str(uuid4()), "OWNER", expire_time=soon),
        update(acme, cy.user_id, "OWNER", expire_time=soon),
        update(acme, bo.user_id, expire_time=soon),
        update(acme, cy.user_id, "OWNER"),  # would keep the end that it has
    ):
        async with fails(Reason.BAD_REQUEST) as failure:
            await call(tenancy, request, AS_OPERATOR)
        assert failure.fields["expire_time"].startswith("an OWNER has none")
    for_ever = update(acme, cy.user_id, "OWNER", update_mask=mask("role", "expire_time"))
    member = (await call(tenancy, for_ever, ada.metadata)).member
    assert (member.role, member.HasField("expire_time")) == (org_role("OWNER"), False)


@pytest.mark.parametrize("how", ["the act", "a preview"])
async def test_a_stale_etag_is_refused_by_every_change_of_a_member(
    tenancy: grpc.aio.Channel, people: People, how: str
) -> None:
    ada, bo = await people.persons(2)
    acme, is_preview = await people.organization(ada, MEMBER=bo), how == "a preview"
    first = (await call(tenancy, get(acme, bo.user_id), ada.metadata)).member
    await call(tenancy, update(acme, bo.user_id, "GUEST", etag=first.etag), ada.metadata)
    for change in (remove, update):
        request: Any = change(acme, bo.user_id, etag=first.etag, validate_only=is_preview)
        if change is update:
            request.role = org_role("ADMIN")
        async with fails(Reason.ETAG_MISMATCH):
            await call(tenancy, request, ada.metadata)
    second = (await call(tenancy, get(acme, bo.user_id), ada.metadata)).member
    await call(tenancy, remove(acme, bo.user_id, etag=second.etag), ada.metadata)


@pytest.mark.parametrize("what", ["add", "update", "remove", "leave"])
async def test_a_repeated_request_gets_the_first_response_and_changes_nothing_more(
    pair: Pair, tenancy: grpc.aio.Channel, people: People, what: str
) -> None:
    ada, bo, cy, di = await people.persons(4)
    acme = await people.organization(ada, MEMBER=[bo, di])
    again = {"request_id": str(uuid4())}
    requests: dict[str, tuple[Message, Message, Metadata]] = {
        "add": (add(acme, cy.user_id, "GUEST", **again), add(acme, cy.user_id, "ADMIN", **again), AS_OPERATOR),
        "update": (
            update(acme, bo.user_id, "GUEST", **again),
            update(acme, bo.user_id, "ADMIN", **again),
            ada.metadata,
        ),
        "remove": (remove(acme, bo.user_id, **again), remove(acme, di.user_id, **again), ada.metadata),
        "leave": (
            LeaveOrganizationRequest(organization_id=acme, request_id=again["request_id"]),
            LeaveOrganizationRequest(organization_id=str(uuid4()), request_id=again["request_id"]),
            bo.metadata,
        ),
    }
    request, other, metadata = requests[what]
    first = await call(tenancy, request, metadata)
    left = await everything_of(pair, acme)
    assert await call(tenancy, request, metadata) == first
    async with fails(Reason.REQUEST_ID_REUSED):
        await call(tenancy, other, metadata)
    assert await everything_of(pair, acme) == left


async def test_who_may_add_nobody_does_not_learn_whether_there_is_such_a_user(
    tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo, cy = await people.persons(3)
    acme, metadata = await people.organization(ada, MEMBER=bo), AS_OPERATOR + bo.metadata
    there = await outcome(call(tenancy, add(acme, cy.user_id, "GUEST"), metadata))
    assert there == await outcome(call(tenancy, add(acme, str(uuid4()), "GUEST"), metadata))
    assert b"PERMISSION_DENIED" in there


async def test_removing_a_member_revokes_the_pending_invitations_they_sent_above_member(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, OWNER=bo)
    for inviter in (ada, bo):
        for number, role in enumerate(("GUEST", "MEMBER", "ADMIN", "OWNER")):
            email = f"{number}.{inviter.user_id}@example.com"
            await rows(pair, INVITE, (acme, email, email, role, inviter.user_id))
    await call(tenancy, remove(acme, bo.user_id), ada.metadata)
    states = {(role, inviter): state for role, inviter, state in await rows(pair, INVITED, (acme,))}
    assert {key for key, state in states.items() if state == "REVOKED"} == {
        ("ADMIN", bo.user_id),
        ("OWNER", bo.user_id),
    }
    assert list(states.values()).count("PENDING") == 6


async def test_what_changed_is_written_down_and_published(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo, cy = await people.persons(3)
    acme, end = await people.organization(ada), after(hours=1)
    await call(tenancy, add(acme, bo.user_id, "MEMBER", expire_time=end), AS_OPERATOR)
    await call(tenancy, add(acme, cy.user_id, "GUEST"), AS_OPERATOR + ada.metadata)
    await call(tenancy, update(acme, bo.user_id, "ADMIN"), ada.metadata)
    await call(tenancy, remove(acme, cy.user_id), ada.metadata)
    await call(tenancy, remove(acme, bo.user_id), bo.metadata)
    until = {"expire_time": end.ToDatetime().isoformat() + "+00:00"}
    assert (await audited(pair, acme))[1:] == [  # the first is the owner's own
        ("MEMBER_ADDED", bo.user_id, None, "operator", {"after": "MEMBER", **until}),
        ("MEMBER_ADDED", cy.user_id, ada.user_id, "operator", {"after": "GUEST"}),
        ("MEMBER_UPDATED", bo.user_id, ada.user_id, None, {"before": "MEMBER", "after": "ADMIN", **until}),
        ("MEMBER_REMOVED", cy.user_id, ada.user_id, None, {"before": "GUEST"}),
        ("MEMBER_LEFT", bo.user_id, bo.user_id, None, {"before": "ADMIN"}),
    ]
    events = (await published(pair, acme))[1:]
    assert [(type_, user_id) for type_, user_id, _ in events] == [
        ("MEMBER_ADDED", bo.user_id),
        ("MEMBER_ADDED", cy.user_id),
        ("MEMBER_UPDATED", bo.user_id),
        ("MEMBER_REMOVED", cy.user_id),
        ("MEMBER_REMOVED", bo.user_id),
    ]
    told = OrganizationMember.FromString(events[2][2])
    assert (told.user_id, told.role, told.expire_time) == (bo.user_id, org_role("ADMIN"), end)
    assert events[3][2] is None
