"""Two owners against each other, many rounds of every combination of what can end an ownership.

Each round must come out as if one of the two had come first: the answers of both, the roles left, the mark of an
organization without an owner. So at least one of two owners stays, unless their account itself was deleted.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
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
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.rounds import ROUNDS
from tests.tenancy.races import PAIRS_AT_ONCE, check, organizations, race, roomy_tenancy, rows
from tests.tenancy.rpcs import call

DELETION = "deletion of the user"
ACTS = ["leave", "remove", "demote", "transfer", DELETION]
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
        if what == DELETION:
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


async def deletion(tenancy: grpc.aio.Channel, database: Database, user_id: str) -> None:
    """As it follows from identity's event, for one user alone."""
    # Without the way of a call it would nearly always be first.
    await call(tenancy, places.ListOrganizationsRequest(page_size=1), AS_OPERATOR)
    async with database.transaction() as tx:
        assert await departures.remove_memberships(tx, [UUID(user_id)])


@pytest.fixture(scope="module")
async def tenancy(pair: Pair) -> AsyncIterator[grpc.aio.Channel]:
    async with roomy_tenancy(pair) as service:
        yield service.channel


@pytest.fixture(scope="module")
async def database(pair: Pair) -> AsyncIterator[Database]:
    made = Database(
        pair.tenancy.database_url, pool_size=2 * PAIRS_AT_ONCE, name="races", constraint_errors=CONSTRAINT_ERRORS
    )
    yield made
    await made.close()


@pytest.mark.parametrize("what", list(combinations_with_replacement(ACTS, 2)), ids=" and ".join)
async def test_of_two_owners_one_comes_first(
    pair: Pair, tenancy: grpc.aio.Channel, people: People, database: Database, what: tuple[str, str]
) -> None:
    ada, bo = await people.persons(2)
    # Who is deleted is somebody else in every round.
    users = [
        [str(uuid4()) for _ in range(ROUNDS)] if act == DELETION else [person.user_id] * ROUNDS
        for act, person in zip(what, (ada, bo), strict=True)
    ]
    ids = await organizations(pair, ROUNDS, OWNER=users[ADA], OWNER_=users[BO])

    def acts(me: int) -> Callable[[int], Awaitable[object]]:
        if what[me] == DELETION:
            return lambda n: deletion(tenancy, database, users[me][n])
        return lambda n: act(tenancy, what[me], ids[n], (ada, bo)[me], users[1 - me][n])

    answers = await race(range(ROUNDS), acts(ADA), acts(BO))
    left = {row[0]: row[1:] for row in await rows(pair, LEFT, (ids,))}
    outcomes: list[Outcome] = []
    for n, organization_id in enumerate(ids):
        ownerless, user_ids, roles = left[organization_id]
        now = dict(zip(user_ids or (), roles, strict=False))
        outcomes.append((answers[n], (now.get(users[ADA][n]), now.get(users[BO][n])), ownerless))
        assert "OWNER" in outcomes[-1][1] or (ownerless and DELETION in what)
    check(outcomes, ada_first(what), bo_first(what))
