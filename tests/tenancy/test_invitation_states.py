"""The state machine: every act in every state, resending, etags, and two acts at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from protos.tenancy.v1 import invitations_pb2 as pb
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import fails
from tests.tenancy.inviting import Inviting, an_address, state_of
from tests.tenancy.races import told

Act = Callable[[Inviting, TestPerson, TestPerson, str], Awaitable[Any]]
# By the owner and the recipient.
ACTS: dict[str, Act] = {
    "accept": lambda inviting, ada, bo, which: inviting.accept(bo, invitation_id=which),
    "decline": lambda inviting, ada, bo, which: inviting.decline(bo, invitation_id=which),
    "revoke": lambda inviting, ada, bo, which: inviting.revoke(ada, which),
    "resend": lambda inviting, ada, bo, which: inviting.resend(ada, which),
}


async def replace(inviting: Inviting, ada: TestPerson, bo: TestPerson, which: str) -> None:
    """Expired for good: another one has taken its place."""
    await inviting.expire(which)
    [(organization_id,)] = await inviting.rows(
        "SELECT organization_id::text FROM invitations WHERE invitation_id = %s", which
    )
    await inviting.invite(ada, organization_id, bo.email)


WAYS: dict[str, Act] = {
    "PENDING": lambda inviting, ada, bo, which: inviting.age(which),
    "ACCEPTED": ACTS["accept"],
    "DECLINED": ACTS["decline"],
    "REVOKED": ACTS["revoke"],
    "EXPIRED": lambda inviting, ada, bo, which: inviting.expire(which),
    "EXPIRED, replaced": replace,
}
ENDED = {
    "ACCEPTED": Reason.INVITATION_ACCEPTED,
    "DECLINED": Reason.INVITATION_DECLINED,
    "REVOKED": Reason.INVITATION_REVOKED,
    "EXPIRED": Reason.INVITATION_EXPIRED,
    "EXPIRED, replaced": Reason.INVITATION_EXPIRED,
}
# The state that follows, or why none does.
FOLLOWS: dict[tuple[str, str], str | Reason] = {
    ("PENDING", "accept"): "ACCEPTED",
    ("PENDING", "decline"): "DECLINED",
    ("PENDING", "revoke"): "REVOKED",
    ("PENDING", "resend"): "PENDING",
    ("EXPIRED", "resend"): "PENDING",
    ("ACCEPTED", "accept"): "ACCEPTED",
    ("DECLINED", "decline"): "DECLINED",
    ("REVOKED", "revoke"): "REVOKED",
}
ALL = [(state, act) for state in WAYS for act in ACTS]


@pytest.fixture
def inviting(pair: Pair) -> Inviting:
    return Inviting(pair)


def follows(state: str, act: str) -> str | Reason:
    answer = ENDED[state] if state in ENDED and act in ("accept", "decline") else Reason.INVITATION_NOT_PENDING
    return FOLLOWS.get((state, act), answer)


@pytest.mark.parametrize(("state", "act"), ALL, ids=[f"{act} {state}" for state, act in ALL])
async def test_every_act_in_every_state(inviting: Inviting, people: People, state: str, act: str) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    which = (await inviting.invite(ada, acme, bo.email)).invitation_id
    await WAYS[state](inviting, ada, bo, which)
    before, audited = await inviting.get(ada, which), await inviting.audited(which)
    assert state_of(before) == state.partition(",")[0]
    expected = follows(state, act)
    if isinstance(expected, Reason):
        async with fails(expected):
            await ACTS[act](inviting, ada, bo, which)
    else:
        await ACTS[act](inviting, ada, bo, which)
    after = await inviting.get(ada, which)
    is_change = not isinstance(expected, Reason) and (expected != state or act == "resend")
    assert state_of(after) == (expected if is_change else state.partition(",")[0])
    assert (after.etag != before.etag) == is_change
    assert len(await inviting.audited(which)) == len(audited) + is_change
    if not is_change:
        assert after == before


async def test_resending_gives_a_new_secret_and_as_long_again(inviting: Inviting, people: People) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    address = an_address()
    made = await inviting.invite(ada, acme, address)
    first = await inviting.mailbox.newest(address, "invitation")
    await inviting.rows(
        "UPDATE invitations SET expire_time = now() + interval '1 h' WHERE invitation_id = %s", made.invitation_id
    )
    await inviting.age(made.invitation_id)
    again = await inviting.resend(ada, made.invitation_id)
    assert again.invitation_id == made.invitation_id
    assert again.expire_time.ToDatetime() > made.expire_time.ToDatetime()
    second = await inviting.mailbox.newest(address, "invitation", after=first)
    async with fails(Reason.INVITATION_NOT_FOUND):
        await inviting.accept(bo, secret=first.token)
    await inviting.accept(bo, secret=second.token)


async def test_it_is_resent_once_a_minute_at_most(inviting: Inviting, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, an_address())
    async with fails(Reason.THROTTLED) as failure:
        await inviting.resend(ada, made.invitation_id)
    assert failure.retry_after is not None
    assert 50 < failure.retry_after <= 60
    await inviting.age(made.invitation_id)
    await inviting.resend(ada, made.invitation_id)
    async with fails(Reason.THROTTLED):
        await inviting.resend(ada, made.invitation_id)


async def test_a_resend_that_is_repeated_sends_one_mail(inviting: Inviting, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, an_address())
    await inviting.sent(made.invitation_id)
    await inviting.age(made.invitation_id)
    request = pb.ResendInvitationRequest(invitation_id=made.invitation_id, request_id=str(uuid4()))
    first = await inviting.stub.ResendInvitation(request, metadata=AS_OPERATOR)
    assert await inviting.stub.ResendInvitation(request, metadata=AS_OPERATOR) == first
    await inviting.sent(made.invitation_id)
    assert len(inviting.mailbox.mails(made.email)) == 2


async def test_a_stale_etag_revokes_nothing(inviting: Inviting, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, an_address())
    await inviting.age(made.invitation_id)
    again = await inviting.resend(ada, made.invitation_id)
    async with fails(Reason.ETAG_MISMATCH):
        await inviting.revoke(ada, made.invitation_id, etag=made.etag)
    assert state_of(await inviting.get(ada, made.invitation_id)) == "PENDING"
    revoked = await inviting.revoke(ada, made.invitation_id, etag=again.etag)
    assert await inviting.revoke(ada, made.invitation_id, etag=again.etag) == revoked  # is no error


async def test_an_answer_waits_for_the_organization(pair: Pair, inviting: Inviting, people: People) -> None:
    """It is judged by what is true under the lock, not by what was read before it."""
    ada, bo = await people.persons(2)
    acme = await people.organization(ada)
    made = await inviting.invite(ada, acme, bo.email)
    await inviting.sent(made.invitation_id)
    waits = """SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                AND query LIKE '%%FROM organizations%%'"""
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        await connection.execute("SELECT FROM organizations WHERE organization_id = %s FOR UPDATE", (acme,))
        await connection.execute(
            "UPDATE invitations SET state = 'REVOKED' WHERE invitation_id = %s", (made.invitation_id,)
        )
        accepting = asyncio.create_task(told(inviting.accept(bo, invitation_id=made.invitation_id)))
        while not await inviting.rows(waits):
            assert not accepting.done()
    assert await accepting == "INVITATION_REVOKED"
    assert await inviting.role(acme, bo) is None


ROUNDS = 8
ADDED = "SELECT 1 FROM audit_events WHERE organization_id = %s AND target_user_id = %s AND action = 'MEMBER_ADDED'"
RACES = {
    "accept": {("OK", "OK")},
    "decline": {("OK", "INVITATION_ACCEPTED"), ("INVITATION_DECLINED", "OK")},
    "revoke": {("OK", "INVITATION_NOT_PENDING"), ("INVITATION_REVOKED", "OK")},
    "add": {("OK", "OK"), ("OK", "ALREADY_A_MEMBER")},
}


@pytest.mark.parametrize("other", RACES)
async def test_of_an_acceptance_and_another_act_one_comes_first(
    pair: Pair, inviting: Inviting, people: People, other: str
) -> None:
    ada, bo = await people.persons(2)

    async def one_round() -> None:
        acme = await people.organization(ada)
        which = (await inviting.invite(ada, acme, bo.email, "MEMBER")).invitation_id
        second = people.add(acme, bo, "GUEST") if other == "add" else ACTS[other](inviting, ada, bo, which)
        answers = await asyncio.gather(told(inviting.accept(bo, invitation_id=which)), told(second))
        assert tuple(answers) in RACES[other], answers
        state = state_of(await inviting.get(ada, which))
        role = await inviting.role(acme, bo)
        assert state == ("ACCEPTED" if answers[0] == "OK" else f"{other.upper()}D")
        assert (role is not None) == (answers[0] == "OK" or other == "add")
        if other == "add":  # who came first decides the role
            assert role == ("GUEST" if answers[1] == "OK" else "MEMBER")
        added = (
            "SELECT 1 FROM audit_events WHERE organization_id = %s AND target_user_id = %s AND action = 'MEMBER_ADDED'"
        )
        assert len(await inviting.rows(added, acme, bo.user_id)) == (role is not None)

    for _ in range(ROUNDS):
        await one_round()


async def test_of_two_accounts_with_one_secret_one_gets_in(inviting: Inviting, people: People) -> None:
    ada, bo, cy = await people.persons(3)
    for _ in range(ROUNDS):
        acme = await people.organization(ada)
        made = await inviting.invite(ada, acme, an_address())
        secret = await inviting.secret(made.email)
        answers = await asyncio.gather(
            told(inviting.accept(bo, secret=secret)), told(inviting.accept(cy, secret=secret))
        )
        assert sorted(answers) == ["INVITATION_ACCEPTED", "OK"]
        roles = [await inviting.role(acme, who) for who in (bo, cy)]
        assert [role is not None for role in roles] == [answer == "OK" for answer in answers]


async def test_of_two_invitations_to_one_address_one_is_made(inviting: Inviting, people: People) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    for _ in range(ROUNDS):
        address = an_address()
        answers = await asyncio.gather(*[told(inviting.invite(ada, acme, address)) for _ in range(2)])
        assert sorted(answers) == ["INVITATION_EXISTS", "OK"]
