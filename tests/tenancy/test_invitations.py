"""Inviting: who may, for which roles, to whom, and what lists and reads tell of it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from protos.tenancy.v1 import invitations_pb2 as pb
from protos.tenancy.v1.roles_pb2 import OrgRole
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, running_pair
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.tenancy.inviting import Inviting, an_address, creation, state_of


@pytest.fixture
def inviting(pair: Pair) -> Inviting:
    return Inviting(pair)


async def test_an_invitation_is_shown_without_its_secret(inviting: Inviting, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    address = an_address("Dee")
    made = await inviting.invite(ada, acme, address, "GUEST", {api: "EDITOR"})
    secret = await inviting.secret(address)
    assert (made.email, made.organization_id, made.inviter_user_id) == (address, acme, ada.user_id)
    assert (state_of(made), made.role, made.etag) == ("PENDING", OrgRole.ORG_ROLE_GUEST, "1")
    assert [each.project_id for each in made.project_roles] == [api]
    assert made.expire_time.ToDatetime() - made.create_time.ToDatetime() == timedelta(days=7)
    listed = await inviting.stub.ListInvitations(pb.ListInvitationsRequest(organization_id=acme), metadata=ada.metadata)
    assert list(listed.invitations) == [made]
    assert await inviting.get(ada, made.invitation_id) == made
    assert secret not in str(listed)
    assert await inviting.audited(made.invitation_id) == ["INVITATION_CREATED"]
    [(stored,)] = await inviting.rows(
        "SELECT to_jsonb(i)::text || to_jsonb(o)::text FROM invitations i JOIN outbox_emails o USING (invitation_id)"
        " WHERE invitation_id = %s",
        made.invitation_id,
    )
    assert secret not in stored


async def test_one_address_has_one_pending_invitation_in_an_organization(inviting: Inviting, people: People) -> None:
    ada = await people.person()
    acme, other = await people.organization(ada), await people.organization(ada)
    address = an_address()
    first = await inviting.invite(ada, acme, address)
    async with fails(Reason.INVITATION_EXISTS):
        await inviting.invite(ada, acme, address.upper(), "GUEST")
    await inviting.invite(ada, other, address)
    await inviting.revoke(ada, first.invitation_id)
    await inviting.invite(ada, acme, address)


async def test_who_is_a_member_is_not_invited(inviting: Inviting, people: People) -> None:
    ada, bo = await people.persons(2)
    acme, other = await people.organization(ada), await people.organization(ada)
    made = await inviting.invite(ada, acme, bo.email)
    await inviting.accept(bo, invitation_id=made.invitation_id)
    async with fails(Reason.ALREADY_A_MEMBER):
        await inviting.invite(ada, acme, bo.email.upper())
    await inviting.invite(ada, other, bo.email)
    await inviting.rows("DELETE FROM organization_members WHERE user_id = %s", bo.user_id)
    await inviting.invite(ada, acme, bo.email)


@pytest.mark.parametrize(("mine", "theirs"), [("ADMIN", "OWNER"), ("MEMBER", "GUEST"), ("GUEST", "GUEST")])
async def test_nobody_invites_above_their_role_and_members_not_at_all(
    inviting: Inviting, people: People, mine: str, theirs: str
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, **{mine: bo})
    async with fails(Reason.ROLE_ABOVE_CALLER if mine == "ADMIN" else Reason.PERMISSION_DENIED):
        await inviting.invite(bo, acme, an_address(), theirs)
    if mine == "ADMIN":
        await inviting.invite(bo, acme, an_address(), "ADMIN")


async def test_nobody_gives_a_role_on_a_project_that_they_could_not_set_there(
    inviting: Inviting, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme, other = await people.organization(ada, ADMIN=bo), await people.organization(ada)
    api, lowered = await people.project(acme, ada), await people.project(acme, ada, EDITOR=bo)
    elsewhere, deleted = await people.project(other, ada), await people.project(acme, ada)
    await inviting.rows("UPDATE projects SET delete_time = now(), purge_time = now() WHERE project_id = %s", deleted)
    await inviting.invite(bo, acme, an_address(), "MEMBER", {api: "ADMIN"})
    for hidden in (lowered, elsewhere, deleted, str(uuid4())):
        async with fails(Reason.PERMISSION_DENIED):
            await inviting.invite(bo, acme, an_address(), "MEMBER", {api: "VIEWER", hidden: "VIEWER"})
    for hidden in (elsewhere, deleted):
        async with fails(Reason.PERMISSION_DENIED):
            await inviting.invite(AS_OPERATOR, acme, an_address(), "MEMBER", {hidden: "VIEWER"})
    made = await inviting.invite(AS_OPERATOR, acme, an_address(), "ADMIN", {lowered: "ADMIN"})
    assert (made.inviter_user_id, made.inviter_service) == ("", "operator")


async def test_whoever_may_not_read_an_invitation_is_told_what_a_missing_one_tells(
    inviting: Inviting, people: People
) -> None:
    ada, admin, member, zoe = await people.persons(4)
    acme = await people.organization(ada, ADMIN=admin, MEMBER=member)
    owner_to_be = await inviting.invite(ada, acme, an_address(), "OWNER")
    assert (await inviting.get(admin, owner_to_be.invitation_id)).invitation_id
    answers = []
    for who, invitation_id in ((member, owner_to_be.invitation_id), (zoe, owner_to_be.invitation_id), (zoe, acme)):
        for call in (inviting.get, inviting.revoke, inviting.resend):
            async with fails(Reason.PERMISSION_DENIED) as failure:
                await call(who, invitation_id)
            answers.append(failure.raw)
    assert len(set(answers)) == 1
    for act in (inviting.revoke, inviting.resend):
        async with fails(Reason.ROLE_ABOVE_CALLER):
            await act(admin, owner_to_be.invitation_id)


async def test_a_recipient_reads_their_invitation_and_no_other(inviting: Inviting, people: People) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, bo.email.upper())
    told = await inviting.get(bo, made.invitation_id)
    assert (told.invitation_id, told.organization_display_name) == (made.invitation_id, made.organization_slug)
    async with fails(Reason.PERMISSION_DENIED):
        await inviting.get(cy, made.invitation_id)
    await inviting.in_identity("UPDATE users SET email_verified_time = NULL WHERE user_id = %s", bo.user_id)
    async with fails(Reason.PERMISSION_DENIED):
        await inviting.get(bo, made.invitation_id)


async def test_only_who_reads_members_is_told_who_accepted(inviting: Inviting, people: People) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, bo.email)
    await inviting.accept(cy, secret=await inviting.secret(bo.email))
    assert (await inviting.get(ada, made.invitation_id)).accepted_user_id == cy.user_id
    told = await inviting.get(bo, made.invitation_id)
    assert (state_of(told), told.accepted_user_id) == ("ACCEPTED", "")


async def test_my_invitations_are_those_that_wait_for_my_verified_address(inviting: Inviting, people: People) -> None:
    ada, bo = await people.persons(2)
    places = [await people.organization(ada) for _ in range(6)]
    made = [await inviting.invite(ada, place, bo.email.upper()) for place in places]
    await inviting.revoke(ada, made[0].invitation_id)
    await inviting.expire(made[1].invitation_id)
    await inviting.rows(
        "UPDATE organizations SET delete_time = now(), purge_time = now() WHERE organization_id = %s", places[2]
    )
    await inviting.decline(bo, invitation_id=made[3].invitation_id)
    mine: list[str] = []
    token = ""
    while token or not mine:
        request = pb.ListMyInvitationsRequest(page_size=1, page_token=token)
        page = await inviting.stub.ListMyInvitations(request, metadata=bo.metadata)
        mine += [each.invitation_id for each in page.invitations]
        token = page.next_page_token
    assert mine == [made[5].invitation_id, made[4].invitation_id]
    await inviting.in_identity("UPDATE users SET email_verified_time = NULL WHERE user_id = %s", bo.user_id)
    nothing = await inviting.stub.ListMyInvitations(pb.ListMyInvitationsRequest(), metadata=bo.metadata)
    assert list(nothing.invitations) == []


async def test_lists_are_filtered_and_come_newest_first_in_pages(inviting: Inviting, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    addresses = [an_address(name) for name in ("Ann", "ann", "bob", "cid", "dan")]
    made = [
        await inviting.invite(ada, acme, each, role)
        for each, role in zip(addresses, ("MEMBER", "GUEST", "ADMIN", "MEMBER", "MEMBER"), strict=True)
    ]
    await inviting.expire(made[3].invitation_id)
    await inviting.revoke(ada, made[4].invitation_id)

    async def found(filter_: str) -> list[int]:
        numbers: list[int] = []
        token = ""
        while token or not numbers:
            request = pb.ListInvitationsRequest(organization_id=acme, filter=filter_, page_size=2, page_token=token)
            page = await inviting.stub.ListInvitations(request, metadata=ada.metadata)
            ids = [each.invitation_id for each in made]
            numbers += [ids.index(each.invitation_id) for each in page.invitations]
            token = page.next_page_token
        return numbers

    assert await found("") == [4, 3, 2, 1, 0]
    assert await found("state=PENDING") == [2, 1, 0]
    assert await found("state=EXPIRED OR state=REVOKED") == [4, 3]
    assert await found("email=ANN*") == [1, 0]
    assert await found("email=ann* AND role=GUEST") == [1]
    assert await found(f'email="{addresses[2].upper()}"') == [2]
    async with fails(Reason.BAD_REQUEST):
        await found("secret=x")


async def test_a_request_is_answered_once(inviting: Inviting, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    request = creation(acme, an_address(), request_id=str(uuid4()))
    first = await inviting.stub.CreateInvitation(request, metadata=ada.metadata)
    assert await inviting.stub.CreateInvitation(request, metadata=ada.metadata) == first
    request.email = an_address()
    async with fails(Reason.REQUEST_ID_REUSED):
        await inviting.stub.CreateInvitation(request, metadata=ada.metadata)


async def test_all_bad_fields_are_named_at_once(inviting: Inviting, people: People) -> None:
    ada = await people.person()
    api = str(uuid4())
    request = pb.CreateInvitationRequest(organization_id="x", email="x", request_id="x")
    request.project_roles.add(project_id="x")
    async with fails(Reason.BAD_REQUEST) as failure:
        await inviting.stub.CreateInvitation(request, metadata=ada.metadata)
    assert failure.fields.keys() == {
        "organization_id", "email", "role", "project_roles[0].project_id", "project_roles[0].role", "request_id",
    }  # fmt: skip
    twice = creation(api, an_address(), "OWNER", {api: "VIEWER"})
    twice.project_roles.add().CopyFrom(twice.project_roles[0])
    async with fails(Reason.BAD_REQUEST) as failure:
        await inviting.stub.CreateInvitation(twice, metadata=ada.metadata)
    assert failure.fields.keys() == {"project_roles", "project_roles[1].project_id"}
    many = creation(api, an_address(), "MEMBER", {str(uuid4()): "VIEWER" for _ in range(101)})
    async with fails(Reason.BAD_REQUEST) as failure:
        await inviting.stub.CreateInvitation(many, metadata=ada.metadata)
    assert failure.fields == {"project_roles": "101 items, at most 100"}
    async with fails(Reason.BAD_REQUEST) as failure:
        await inviting.stub.CreateInvitation(creation(api, f"{'x' * 250}@example.com"), metadata=ada.metadata)
    assert failure.fields == {"email": "262 characters, at most 254"}
    async with fails(Reason.BAD_REQUEST) as failure:
        await inviting.accept(ada, secret="x" * 101)
    assert failure.fields == {"secret": "longer than 100 characters"}
    async with fails(Reason.BAD_REQUEST) as failure:
        await inviting.accept(ada)
    assert failure.fields.keys() == {"invitation"}


async def test_a_hundred_projects_are_given_with_one_invitation(inviting: Inviting, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    made = await inviting.rows(
        "INSERT INTO projects (organization_id, project_id, slug, display_name)"
        " SELECT %s, gen_random_uuid(), 'p-' || n, 'P' FROM generate_series(100, 199) AS n RETURNING project_id::text",
        acme,
    )
    wanted = {project_id: "EDITOR" for (project_id,) in made}
    invitation = await inviting.invite(ada, acme, bo.email, "GUEST", wanted)
    await inviting.accept(bo, invitation_id=invitation.invitation_id)
    assert await inviting.overrides(acme, bo) == wanted


async def test_expired_and_answered_invitations_use_up_no_quota(databases: Databases) -> None:
    async with running_pair(databases, tenancy={"PENDING_INVITATIONS_PER_ORGANIZATION": 2}) as pair:
        people, inviting = People(pair), Inviting(pair)
        ada = await people.person()
        acme, other = await people.organization(ada), await people.organization(ada)
        one, two = [await inviting.invite(ada, acme, an_address()) for _ in range(2)]
        async with fails(Reason.QUOTA_EXCEEDED):
            await inviting.invite(ada, acme, an_address())
        await inviting.invite(ada, other, an_address())
        await inviting.revoke(ada, one.invitation_id)
        await inviting.expire(two.invitation_id)
        three, _ = [await inviting.invite(ada, acme, an_address()) for _ in range(2)]
        async with fails(Reason.QUOTA_EXCEEDED):
            await inviting.resend(ada, two.invitation_id)
        await inviting.revoke(ada, three.invitation_id)
        await inviting.resend(ada, two.invitation_id)
