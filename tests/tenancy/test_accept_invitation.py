"""Answering: with the secret or with a verified address, once and whole; and who learns what has become of it."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from protos.tenancy.v1 import invitations_pb2 as pb
from shared.reasons import Reason
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, running_pair
from tenantry.testing.people import People, TestPerson
from tests.calls import fails
from tests.tenancy.inviting import Inviting, an_address, name_of, state_of

DELETE_PLACE = "UPDATE organizations SET delete_time = now(), purge_time = now() WHERE organization_id = %s"
DELETE_PROJECT = "UPDATE projects SET delete_time = now(), purge_time = now() WHERE project_id = %s"
END_MEMBERSHIP = """UPDATE organization_members SET expire_time = now() - interval '1 s'
                     WHERE organization_id = %s AND user_id = %s"""
MOVE = "UPDATE users SET email = 'x' || email, email_key = 'x' || email_key WHERE user_id = %s"
SET_BY = "SELECT DISTINCT set_by_user_id::text FROM project_members WHERE user_id = %s"


@pytest.fixture
def inviting(pair: Pair) -> Inviting:
    return Inviting(pair)


async def test_a_verified_address_accepts_and_gets_all_the_roles(inviting: Inviting, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    api, web = await people.project(acme, ada), await people.project(acme, ada)
    made = await inviting.invite(ada, acme, bo.email.upper(), "GUEST", {api: "EDITOR", web: "NONE"})
    answer = await inviting.accept(bo, invitation_id=made.invitation_id)
    assert (answer.member.user_id, name_of(answer.member), answer.was_member) == (bo.user_id, "GUEST", False)
    assert list(answer.skipped_project_ids) == []
    assert await inviting.overrides(acme, bo) == {api: "EDITOR", web: "NONE"}
    set_by = await inviting.rows(SET_BY, bo.user_id)
    assert set_by == [(ada.user_id,)]
    events = await inviting.rows(
        "SELECT type FROM events WHERE user_id = %s AND organization_id = %s ORDER BY event_id", bo.user_id, acme
    )
    assert [type_ for (type_,) in events] == ["MEMBER_ADDED", "PROJECT_ROLE_SET", "PROJECT_ROLE_SET"]
    audited = await inviting.rows(
        "SELECT action, actor_user_id::text FROM audit_events WHERE target_user_id = %s ORDER BY audit_event_id",
        bo.user_id,
    )
    actions = ["MEMBER_ADDED", "PROJECT_ROLE_SET", "PROJECT_ROLE_SET", "INVITATION_ACCEPTED"]
    assert audited == [(action, bo.user_id) for action in actions]
    names = await inviting.rows("SELECT email_key, name_key FROM user_names WHERE user_id = %s", bo.user_id)
    assert names == [(bo.email, "person")]
    assert state_of(await inviting.get(ada, made.invitation_id)) == "ACCEPTED"


async def test_with_the_secret_the_address_need_not_be_the_same_nor_verified(
    inviting: Inviting, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    address = an_address()
    await inviting.invite(ada, acme, address, "ADMIN")
    await inviting.in_identity("UPDATE users SET email_verified_time = NULL WHERE user_id = %s", bo.user_id)
    answer = await inviting.accept(bo, secret=await inviting.secret(address))
    assert name_of(answer.member) == "ADMIN"


async def test_knowing_the_id_is_not_enough(inviting: Inviting, people: People) -> None:
    """Not even for who has the address but has not verified it; and nobody is told of it."""
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, bo.email)
    secret = await inviting.secret(bo.email)
    await inviting.in_identity("UPDATE users SET email_verified_time = NULL WHERE user_id = %s", bo.user_id)
    answers = []
    attempts: list[tuple[TestPerson, dict[str, str]]] = [
        (cy, {"invitation_id": made.invitation_id}),
        (bo, {"invitation_id": made.invitation_id}),
        (ada, {"invitation_id": made.invitation_id}),
        (cy, {"invitation_id": str(uuid4())}),
        (cy, {"secret": made.invitation_id}),
        (cy, {"secret": secret[:-1] + ("A" if secret[-1] != "A" else "B")}),
    ]
    for who, which in attempts:
        for act in (inviting.accept, inviting.decline):
            async with fails(Reason.INVITATION_NOT_FOUND) as failure:
                await act(who, **which)
            answers.append(failure.raw)
    assert len(set(answers)) == 1
    assert await inviting.role(acme, bo) is None


async def test_a_new_address_opens_its_invitations_at_once_and_the_old_one_no_more(
    inviting: Inviting, people: People
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, bo.email)
    await inviting.in_identity(MOVE, bo.user_id)
    async with fails(Reason.INVITATION_NOT_FOUND):
        await inviting.accept(bo, invitation_id=made.invitation_id)
    again = await inviting.invite(ada, acme, f"X{bo.email}")
    await inviting.accept(bo, invitation_id=again.invitation_id)


async def test_accepting_again_is_no_error_and_gives_nothing_more(inviting: Inviting, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    kept, gone, later = [await people.project(acme, ada) for _ in range(3)]
    roles = {kept: "EDITOR", gone: "EDITOR", later: "VIEWER"}
    made = await inviting.invite(ada, acme, bo.email, "GUEST", roles)
    secret = await inviting.secret(bo.email)
    await inviting.rows(DELETE_PROJECT, gone)
    first = await inviting.accept(bo, secret=secret)
    assert list(first.skipped_project_ids) == [gone]
    assert await inviting.overrides(acme, bo) == {kept: "EDITOR", later: "VIEWER"}
    await inviting.rows(DELETE_PROJECT, later)
    for which in ({"secret": secret}, {"invitation_id": made.invitation_id}):
        assert await inviting.accept(bo, **which) == first
    assert await inviting.audited(made.invitation_id) == ["INVITATION_CREATED", "INVITATION_ACCEPTED"]


async def test_who_is_a_member_keeps_their_role_and_overrides(inviting: Inviting, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    api, web = await people.project(acme, ada), await people.project(acme, ada)
    made = await inviting.invite(ada, acme, bo.email, "ADMIN", {api: "ADMIN", web: "ADMIN"})
    await people.add(acme, bo, "GUEST")
    await people.set_role(api, bo, "VIEWER", ada)
    await inviting.rows(DELETE_PROJECT, web)
    first = await inviting.accept(bo, invitation_id=made.invitation_id)
    assert (name_of(first.member), first.was_member, list(first.skipped_project_ids)) == ("GUEST", True, [])
    assert await inviting.overrides(acme, bo) == {api: "VIEWER"}
    assert await inviting.accept(bo, invitation_id=made.invitation_id) == first


async def test_an_expired_membership_is_none_and_what_it_had_is_not_revived(inviting: Inviting, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, ADMIN=bo)
    api = await people.project(acme, ada, ADMIN=bo)
    await inviting.rows(END_MEMBERSHIP, acme, bo.user_id)
    made = await inviting.invite(ada, acme, bo.email, "GUEST")
    answer = await inviting.accept(bo, invitation_id=made.invitation_id)
    assert (name_of(answer.member), answer.was_member) == ("GUEST", False)
    assert api not in await inviting.overrides(acme, bo)


async def test_an_invitation_brings_nobody_back_who_was_removed(inviting: Inviting, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, bo.email)
    secret = await inviting.secret(bo.email)
    await inviting.accept(bo, secret=secret)
    await inviting.rows("DELETE FROM organization_members WHERE user_id = %s", bo.user_id)
    for which in ({"secret": secret}, {"invitation_id": made.invitation_id}):
        async with fails(Reason.INVITATION_ACCEPTED):
            await inviting.accept(bo, **which)
    assert await inviting.role(acme, bo) is None


async def test_a_repeat_gets_the_first_response_and_the_secret_is_not_kept(inviting: Inviting, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    await inviting.invite(ada, acme, bo.email)
    secret, request_id = await inviting.secret(bo.email), str(uuid4())
    first = await inviting.accept(bo, secret=secret, request_id=request_id)
    await inviting.rows("DELETE FROM organization_members WHERE user_id = %s", bo.user_id)
    assert await inviting.accept(bo, secret=secret, request_id=request_id) == first
    other = pb.AcceptInvitationRequest(secret="another", request_id=request_id)
    prints = await inviting.rows("SELECT fingerprint FROM request_results WHERE request_id = %s", request_id)
    assert (await inviting.stub.AcceptInvitation(other, metadata=bo.metadata)) == first  # the secret is in no print
    assert len(prints) == 1


Ending = Callable[[Inviting, TestPerson, TestPerson, pb.Invitation], Awaitable[Any]]
ENDINGS: dict[Reason, Ending] = {
    Reason.INVITATION_REVOKED: lambda inviting, ada, bo, made: inviting.revoke(ada, made.invitation_id),
    Reason.INVITATION_DECLINED: lambda inviting, ada, bo, made: inviting.decline(bo, invitation_id=made.invitation_id),
    Reason.INVITATION_EXPIRED: lambda inviting, ada, bo, made: inviting.expire(made.invitation_id),
    Reason.ORGANIZATION_DELETED: lambda inviting, ada, bo, made: inviting.rows(DELETE_PLACE, made.organization_id),
}


@pytest.mark.parametrize("reason", ENDINGS, ids=lambda reason: reason.name)
async def test_only_the_recipient_learns_why_it_is_good_no_more(
    inviting: Inviting, people: People, reason: Reason
) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, bo.email)
    secret = await inviting.secret(bo.email)
    await ENDINGS[reason](inviting, ada, bo, made)
    async with fails(reason):
        await inviting.accept(bo, invitation_id=made.invitation_id)
    async with fails(reason):  # who holds the secret is a recipient too
        await inviting.accept(cy, secret=secret)
    async with fails(Reason.INVITATION_NOT_FOUND):
        await inviting.accept(cy, invitation_id=made.invitation_id)
    assert await inviting.role(acme, bo) is None
    assert await inviting.role(acme, cy) is None


async def test_it_is_good_for_one_account(inviting: Inviting, people: People) -> None:
    ada, bo, cy = await people.persons(3)
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, bo.email)
    secret = await inviting.secret(bo.email)
    await inviting.accept(bo, secret=secret)
    for act in (inviting.accept, inviting.decline):
        async with fails(Reason.INVITATION_ACCEPTED):
            await act(cy, secret=secret)
        async with fails(Reason.INVITATION_NOT_FOUND):
            await act(cy, invitation_id=made.invitation_id)
    assert await inviting.role(acme, cy) is None


async def test_the_quotas_count_for_who_accepts(databases: Databases) -> None:
    limits: dict[str, object] = {"MEMBERS_PER_ORGANIZATION": 2, "ORGANIZATIONS_PER_USER": 1}
    async with running_pair(databases, tenancy=limits) as pair:
        people, inviting = People(pair), Inviting(pair)
        ada, bo, cy = await people.persons(3)
        acme = await people.organization(ada)
        owning = await inviting.invite(ada, acme, bo.email, "OWNER")
        joining = await inviting.invite(ada, acme, cy.email)
        await people.organization(bo)
        async with fails(Reason.QUOTA_EXCEEDED):
            await inviting.accept(bo, invitation_id=owning.invitation_id)
        await inviting.accept(cy, invitation_id=joining.invitation_id)
        third = await inviting.invite(ada, acme, an_address())
        async with fails(Reason.QUOTA_EXCEEDED):
            await inviting.accept(bo, secret=await inviting.secret(third.email))
        assert state_of(await inviting.get(ada, owning.invitation_id)) == "PENDING"


async def test_accepting_is_whole_or_not_at_all(pair: Pair, inviting: Inviting, people: People) -> None:
    """It waits for the invitation's row when the membership is written already, and gives up."""
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    made = await inviting.invite(ada, acme, bo.email, "GUEST", {api: "EDITOR"})
    await inviting.sent(made.invitation_id)
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        await connection.execute("SELECT FROM invitations WHERE invitation_id = %s FOR UPDATE", (made.invitation_id,))
        async with fails(Reason.CONFLICT):
            await inviting.accept(bo, invitation_id=made.invitation_id)
    assert await inviting.role(acme, bo) is None
    assert await inviting.overrides(acme, bo) == {}
    assert await inviting.audited(made.invitation_id) == ["INVITATION_CREATED"]
    await inviting.accept(bo, invitation_id=made.invitation_id)
    assert await inviting.overrides(acme, bo) == {api: "EDITOR"}
