"""Two owners against each other, many rounds of every combination of what can end an ownership.

Each round must come out as if one of the two had come first: the answers of both, the roles left, the mark of an
organization without an owner. So at least one of two owners stays, unless their account itself was deleted.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from itertools import combinations_with_replacement
from uuid import UUID, uuid4

import grpc
import pytest

from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import organizations_pb2 as places
from protos.tenancy.v1.roles_pb2 import OrgRole
from shared.database import Database
from tenancy_service import departures
from tenancy_service.constraint_errors import CONSTRAINT_ERRORS
from tenantry.testing.pair import Pair, running_tenancy
from tenantry.testing.people import People, TestPerson
from tests.tenancy.races import AT_ONCE, CONFLICT, ROUNDS, organizations, rounds, rows, told
from tests.tenancy.rpcs import call

ACTS = ["leave", "remove", "demote", "transfer", "deletion of the user"]
ADA, BO = 0, 1
RANKS = ["GUEST", "MEMBER", "ADMIN", "OWNER"]

LEFT = """
    SELECT organization_id::text, ownerless_time IS NOT NULL,
           array_agg(user_id::text) FILTER (WHERE user_id IS NOT NULL), array_agg(role)
      FROM organizations LEFT JOIN organization_members USING (organization_id)
     WHERE organization_id = ANY(%s::uuid[]) GROUP BY organization_id, ownerless_time"""

# The answers of both, the role of each or None, and whether it is marked ownerless.
Outcome = tuple[tuple[str, str], tuple[str | None, str | None], bool]


class InTurn:
    """What the rules say, one act after the other."""

    def __init__(self) -> None:
        self.roles: list[str | None] = ["OWNER", "OWNER"]
        self.ownerless = False

    def does(self, what: str, me: int) -> str:
        if what == "deletion of the user":
            return self.goes(me)
        other = 1 - me
        mine, theirs = self.roles[me], self.roles[other]
        if mine is None or (what != "leave" and mine not in (("OWNER",) if what == "transfer" else ("OWNER", "ADMIN"))):
            return "PERMISSION_DENIED"
        if what == "leave":
            return self.ends(me, None)
        if theirs is None:
            return "MEMBER_NOT_FOUND"
        if what == "transfer":
            self.roles[me], self.roles[other] = "ADMIN", "OWNER"
            return "OK"
        if RANKS.index(theirs) > RANKS.index(mine):
            return "ROLE_ABOVE_CALLER"
        return self.ends(other, "GUEST" if what == "demote" else None)

    def ends(self, who: int, role: str | None) -> str:
        if self.roles[who] == "OWNER" and self.roles[1 - who] != "OWNER":
            return "LAST_OWNER"
        self.roles[who] = role
        return "OK"

    def goes(self, who: int) -> str:
        was, self.roles[who] = self.roles[who], None
        other = self.roles[1 - who]
        if was == "OWNER" and other != "OWNER":
            if other == "ADMIN":
                self.roles[1 - who] = "OWNER"
            else:
                self.ownerless = True
        return "OK"

    def outcome(self, answers: tuple[str, str]) -> Outcome:
        return answers, (self.roles[ADA], self.roles[BO]), self.ownerless


def ada_first(what: tuple[str, str]) -> Outcome:
    turns = InTurn()
    return turns.outcome((turns.does(what[ADA], ADA), turns.does(what[BO], BO)))


def bo_first(what: tuple[str, str]) -> Outcome:
    turns = InTurn()
    bo = turns.does(what[BO], BO)
    return turns.outcome((turns.does(what[ADA], ADA), bo))


def one_alone(what: tuple[str, str], who: int) -> Outcome:
    """Where the other was told to try again."""
    turns = InTurn()
    answer = turns.does(what[who], who)
    return turns.outcome((answer, CONFLICT) if who == ADA else (CONFLICT, answer))


def act(tenancy: grpc.aio.Channel, what: str, organization_id: str, me: TestPerson, other: str) -> Awaitable[object]:
    requests = {
        "leave": members.LeaveOrganizationRequest(organization_id=organization_id),
        "remove": members.RemoveOrganizationMemberRequest(organization_id=organization_id, user_id=other),
        "demote": members.UpdateOrganizationMemberRequest(
            organization_id=organization_id, user_id=other, role=OrgRole.ORG_ROLE_GUEST
        ),
        "transfer": places.TransferOwnershipRequest(organization_id=organization_id, user_id=other),
    }
    return call(tenancy, requests[what], me.metadata)


async def deletion(database: Database, user_id: str) -> None:
    """As it follows from identity's event, for one user alone."""
    async with database.transaction() as tx:
        assert await departures.remove_memberships(tx, [UUID(user_id)])


@pytest.fixture(scope="module")
async def tenancy(pair: Pair) -> AsyncIterator[grpc.aio.Channel]:
    """With a connection for every call, and no quota of what one may own."""
    settings = pair.tenancy_settings.model_copy(
        update={"organizations_per_user": 100_000, "database_pool_size": 2 * AT_ONCE}
    )
    async with running_tenancy(settings) as service:
        yield service.channel


@pytest.fixture(scope="module")
async def database(pair: Pair) -> AsyncIterator[Database]:
    made = Database(pair.tenancy.database_url, pool_size=AT_ONCE, name="races", constraint_errors=CONSTRAINT_ERRORS)
    yield made
    await made.close()


@pytest.mark.parametrize("what", list(combinations_with_replacement(ACTS, 2)), ids=" and ".join)
async def test_of_two_owners_one_comes_first(
    pair: Pair, tenancy: grpc.aio.Channel, people: People, database: Database, what: tuple[str, str]
) -> None:
    ada, bo = await people.persons(2)
    # Who is deleted is somebody else in every round.
    users = [
        [str(uuid4()) for _ in range(ROUNDS)] if act == "deletion of the user" else [person.user_id] * ROUNDS
        for act, person in zip(what, (ada, bo), strict=True)
    ]
    ids = await organizations(pair, ROUNDS, OWNER=users[ADA], OWNER_=users[BO])

    async def race(n: int) -> tuple[str, str]:
        calls = [
            told(
                deletion(database, users[me][n])
                if what[me] == "deletion of the user"
                else act(tenancy, what[me], ids[n], (ada, bo)[me], users[1 - me][n])
            )
            for me in (ADA, BO)
        ]
        # Whoever is started first would nearly always be the first.
        if n % 2:
            second, first = await asyncio.gather(calls[BO], calls[ADA])
            return first, second
        first, second = await asyncio.gather(calls[ADA], calls[BO])
        return first, second

    answers = await rounds(range(ROUNDS), race)
    left = {row[0]: row[1:] for row in await rows(pair, LEFT, (ids,))}
    allowed = {ada_first(what), bo_first(what), one_alone(what, ADA), one_alone(what, BO)}
    seen: Counter[Outcome] = Counter()
    for n, organization_id in enumerate(ids):
        ownerless, user_ids, roles = left[organization_id]
        now = dict(zip(user_ids or (), roles, strict=False))
        outcome = answers[n], (now.get(users[ADA][n]), now.get(users[BO][n])), ownerless
        assert outcome in allowed, f"round {n}: {outcome}; allowed: {allowed}"
        assert "OWNER" in outcome[1] or (ownerless and "deletion of the user" in what)
        seen[outcome] += 1
    print(what, {"ada first": seen[ada_first(what)], "bo first": seen[bo_first(what)], "in all": sum(seen.values())})
