"""Two owners against each other, 300 rounds of each combination: never zero owners, never INTERNAL."""

import asyncio
from collections.abc import Awaitable
from itertools import combinations_with_replacement

import psycopg
import pytest

from protos.tenancy.v1 import organization_members_pb2 as pb
from protos.tenancy.v1.organization_members_pb2_grpc import OrganizationMemberServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole
from tenantry.testing.pair import Pair
from tenantry.testing.people import People, TestPerson
from tests.calls import code

ROUNDS = 50  # of each of the six combinations
AT_ONCE = 10
ALLOWED = {"OK", "FAILED_PRECONDITION", "PERMISSION_DENIED", "NOT_FOUND", "ABORTED"}
OWNERS = "SELECT count(*) FROM organization_members WHERE organization_id = %s AND role = 'OWNER'"


def act(
    members: OrganizationMemberServiceStub, what: str, organization_id: str, me: TestPerson, other: TestPerson
) -> Awaitable[object]:
    if what == "demote":
        change = pb.UpdateOrganizationMemberRequest(
            organization_id=organization_id, user_id=other.user_id, role=OrgRole.ORG_ROLE_GUEST
        )
        return members.UpdateOrganizationMember(change, metadata=me.metadata)
    who = other if what == "remove" else me
    removal = pb.RemoveOrganizationMemberRequest(organization_id=organization_id, user_id=who.user_id)
    return members.RemoveOrganizationMember(removal, metadata=me.metadata)


@pytest.mark.parametrize("pairing", list(combinations_with_replacement(["demote", "remove", "leave"], 2)))
async def test_of_two_owners_at_least_one_stays(pair: Pair, people: People, pairing: tuple[str, str]) -> None:
    members = OrganizationMemberServiceStub(pair.tenancy.channel)
    ada, bo = await people.persons(2)
    organizations = [await people.organization(ada, OWNER=bo) for _ in range(ROUNDS)]
    seen: set[tuple[str, ...]] = set()

    async def one_round(organization_id: str) -> None:
        calls = (
            code(act(members, pairing[0], organization_id, ada, bo)),
            code(act(members, pairing[1], organization_id, bo, ada)),
        )
        codes = await asyncio.gather(*calls)
        assert set(codes) <= ALLOWED, codes
        assert "OK" in codes
        seen.add(tuple(codes))

    for start in range(0, ROUNDS, AT_ONCE):
        await asyncio.gather(*[one_round(each) for each in organizations[start : start + AT_ONCE]])
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        for each in organizations:
            row = await (await connection.execute(OWNERS, (each,))).fetchone()
            assert row is not None
            assert row[0] >= 1, f"{each} has no owner after {pairing}"
    if pairing.count("leave") != 1:  # one who leaves while the other lowers them takes nobody's place
        assert ("OK", "OK") not in seen
