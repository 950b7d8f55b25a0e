"""Two calls at once, many rounds of each: one of them comes first, or both are one."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc
import pytest

from protos.tenancy.v1 import invitations_pb2 as invitations
from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import organizations_pb2 as places
from protos.tenancy.v1 import projects_pb2 as projects
from protos.tenancy.v1.roles_pb2 import OrgRole
from shared import one_time
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.rounds import ROUNDS
from tests.tenancy.races import (
    by_first,
    check,
    execute,
    organizations,
    race,
    roomy_tenancy,
    rows,
)
from tests.tenancy.rpcs import call

INVITE = """INSERT INTO invitations
                (organization_id, invitation_id, email, email_key, role, inviter_service, secret_hash, expire_time)
            SELECT id, gen_random_uuid(), %(email)s, %(email)s, 'MEMBER', 'operator', hash, now() + interval '1 day'
              FROM unnest(%(ids)s::uuid[], %(hashes)s::bytea[]) AS t (id, hash)
            RETURNING invitation_id::text"""
# By organization: what became of the invitation, the roles of those who joined, and what was written down of it.
INVITED = """SELECT organization_id::text, (state, (SELECT string_agg(role, ' ') FROM organization_members m
                         WHERE m.organization_id = i.organization_id AND role <> 'OWNER'))::text
               FROM invitations i WHERE organization_id = ANY(%s::uuid[])"""
AUDITED = """SELECT organization_id::text, string_agg(action, ' ' ORDER BY action COLLATE "C") FROM audit_events
              WHERE organization_id = ANY(%s::uuid[]) GROUP BY organization_id"""
DELETED = "SELECT organization_id::text, delete_time IS NOT NULL FROM {} WHERE organization_id = ANY(%s::uuid[])"


@pytest.fixture(scope="module")
async def tenancy(pair: Pair) -> AsyncIterator[grpc.aio.Channel]:
    async with roomy_tenancy(pair) as service:
        yield service.channel


class Invited:
    """As many organizations as rounds, each with an invitation to the same person."""

    async def make(self, pair: Pair, people: People) -> None:
        self.owner, self.rae, self.sam = await people.persons(3)
        self.ids = await organizations(pair, ROUNDS, OWNER=self.owner.user_id)
        self.secrets = [one_time.make_token() for _ in range(ROUNDS)]
        hashes = [one_time.hash_of(secret) for secret in self.secrets]
        values = {"email": self.rae.email, "ids": self.ids, "hashes": hashes}
        self.invitation_ids = [row[0] for row in await rows(pair, INVITE, values)]
        places = await rows(
            pair,
            "SELECT invitation_id::text, organization_id::text FROM invitations"
            " WHERE organization_id = ANY(%s::uuid[])",
            (self.ids,),
        )
        self.of = by_first(places)


@pytest.fixture
async def invited(pair: Pair, people: People) -> Invited:
    made = Invited()
    await made.make(pair, people)
    return made


@pytest.fixture
def acts(tenancy: grpc.aio.Channel, invited: Invited) -> dict[str, Any]:
    def by(kind: Any, person: TestPerson) -> Any:
        return lambda n: call(tenancy, kind(invitation_id=invited.invitation_ids[n]), person.metadata)

    def by_secret(person: TestPerson) -> Any:
        return lambda n: call(tenancy, invitations.AcceptInvitationRequest(secret=invited.secrets[n]), person.metadata)

    def add(n: int) -> Any:
        request = members.AddOrganizationMemberRequest(
            organization_id=invited.of[invited.invitation_ids[n]],
            user_id=invited.rae.user_id,
            role=OrgRole.ORG_ROLE_GUEST,
        )
        return call(tenancy, request, AS_OPERATOR)

    return {
        "accept": by(invitations.AcceptInvitationRequest, invited.rae),
        "accept by the mail": by_secret(invited.rae),
        "accept by another who has the mail": by_secret(invited.sam),
        "decline": by(invitations.DeclineInvitationRequest, invited.rae),
        "revoke": by(invitations.RevokeInvitationRequest, invited.owner),
        "add": add,
    }


AGAINST_ACCEPT = {
    "accept": [("OK", "OK", "(ACCEPTED,MEMBER)")],
    "accept by the mail": [("OK", "OK", "(ACCEPTED,MEMBER)")],
    "accept by another who has the mail": [
        ("OK", "INVITATION_ACCEPTED", "(ACCEPTED,MEMBER)"),
        ("INVITATION_ACCEPTED", "OK", "(ACCEPTED,MEMBER)"),
    ],
    "decline": [
        ("OK", "INVITATION_ACCEPTED", "(ACCEPTED,MEMBER)"),
        ("INVITATION_DECLINED", "OK", "(DECLINED,)"),
    ],
    "revoke": [
        ("OK", "INVITATION_NOT_PENDING", "(ACCEPTED,MEMBER)"),
        ("INVITATION_REVOKED", "OK", "(REVOKED,)"),
    ],
    "add": [
        ("OK", "ALREADY_A_MEMBER", "(ACCEPTED,MEMBER)"),
        ("OK", "OK", "(ACCEPTED,GUEST)"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("against", AGAINST_ACCEPT)
async def test_an_invitation_is_answered_once(pair: Pair, invited: Invited, acts: dict[str, Any], against: str) -> None:
    answers = await race(range(ROUNDS), acts["accept"], acts[against])
    became = by_first(await rows(pair, INVITED, (invited.ids,)))
    where = [invited.of[each] for each in invited.invitation_ids]
    check([(*both, became[each]) for both, each in zip(answers, where, strict=True)], *AGAINST_ACCEPT[against])
    audited = by_first(await rows(pair, AUDITED, (invited.ids,)))
    assert all(actions.split().count("INVITATION_ACCEPTED") <= 1 for actions in audited.values())
    assert all(actions.split().count("MEMBER_ADDED") <= 1 for actions in audited.values())


async def test_of_two_who_take_the_same_slug_one_gets_it(tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo = await people.persons(2)
    slugs = [people.slug("taken") for _ in range(ROUNDS)]
    answers = await race(
        slugs,
        lambda slug: call(tenancy, places.CreateOrganizationRequest(slug=slug), ada.metadata),
        lambda slug: call(tenancy, places.CreateOrganizationRequest(slug=slug), bo.metadata),
    )
    check(answers, ("OK", "SLUG_TAKEN"), ("SLUG_TAKEN", "OK"))


async def test_of_two_projects_with_the_same_slug_one_is_made(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada, bo = await people.persons(2)
    ids = await organizations(pair, ROUNDS, OWNER=ada.user_id, ADMIN=bo.user_id)

    def create(by: TestPerson) -> Any:
        return lambda each: call(tenancy, projects.CreateProjectRequest(organization_id=each, slug="api"), by.metadata)

    check(await race(ids, create(ada), create(bo)), ("OK", "SLUG_TAKEN"), ("SLUG_TAKEN", "OK"))


async def test_of_two_who_add_the_same_member_one_does(pair: Pair, tenancy: grpc.aio.Channel, people: People) -> None:
    ada, bo = await people.persons(2)
    ids = await organizations(pair, ROUNDS, OWNER=ada.user_id)

    def add(role: OrgRole.ValueType) -> Any:
        return lambda each: call(
            tenancy,
            members.AddOrganizationMemberRequest(organization_id=each, user_id=bo.user_id, role=role),
            AS_OPERATOR,
        )

    answers = await race(ids, add(OrgRole.ORG_ROLE_MEMBER), add(OrgRole.ORG_ROLE_ADMIN))
    check(answers, ("OK", "ALREADY_A_MEMBER"), ("ALREADY_A_MEMBER", "OK"))


async def test_a_request_id_sent_twice_at_once_is_one_request(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada = await people.person()
    requests = [
        places.CreateOrganizationRequest(slug=people.slug("once"), request_id=str(uuid4())) for _ in range(ROUNDS)
    ]
    told: dict[str, list[str]] = {request.slug: [] for request in requests}

    async def create(request: places.CreateOrganizationRequest) -> None:
        response = await call(tenancy, request, ada.metadata)
        told[request.slug].append(response.organization.organization_id)

    check(await race(requests, create, create), ("OK", "OK"))
    assert all(len(ids) == 2 and ids[0] == ids[1] for ids in told.values())
    ids = [each[0] for each in told.values()]
    audited = by_first(await rows(pair, AUDITED, (ids,)))
    assert set(audited.values()) == {"MEMBER_ADDED ORGANIZATION_CREATED"}


async def test_of_two_payloads_with_one_request_id_one_is_done(tenancy: grpc.aio.Channel, people: People) -> None:
    ada = await people.person()

    def create(name: str) -> Any:
        return lambda each: call(
            tenancy,
            places.CreateOrganizationRequest(slug=f"{name}-{each}"[:40], request_id=each),
            ada.metadata,
        )

    answers = await race([str(uuid4()) for _ in range(ROUNDS)], create("one"), create("two"))
    check(answers, ("OK", "REQUEST_ID_REUSED"), ("REQUEST_ID_REUSED", "OK"))


@pytest.mark.parametrize("before", ["there", "deleted"])
async def test_an_organization_deleted_and_undeleted_at_once_is_one_of_both(
    pair: Pair, tenancy: grpc.aio.Channel, people: People, before: str
) -> None:
    ada = await people.person()
    ids = await organizations(pair, ROUNDS, OWNER=ada.user_id)
    if before == "deleted":
        statement = "UPDATE organizations SET delete_time = now(), purge_time = now() + interval '1 day'"
        await execute(pair, f"{statement} WHERE organization_id = ANY(%s::uuid[])", (ids,))
    answers = await race(
        ids,
        lambda each: call(tenancy, places.DeleteOrganizationRequest(organization_id=each), ada.metadata),
        lambda each: call(tenancy, places.UndeleteOrganizationRequest(organization_id=each), ada.metadata),
    )
    deleted = by_first(await rows(pair, DELETED.format("organizations"), (ids,)))
    audited = by_first(await rows(pair, AUDITED, (ids,)))
    seen = [(*both, deleted[each], audited.get(each)) for both, each in zip(answers, ids, strict=True)]
    both_audited = "ORGANIZATION_DELETED ORGANIZATION_UNDELETED"
    if before == "there":
        # Undeleting what is not deleted is no error and changes nothing.
        check(seen, ("OK", "OK", False, both_audited), ("OK", "OK", True, "ORGANIZATION_DELETED"))
    else:
        denied = ("PERMISSION_DENIED", "OK", False, "ORGANIZATION_UNDELETED")
        check(seen, ("OK", "OK", True, both_audited), denied)


async def test_a_project_deleted_and_undeleted_at_once_is_one_of_both(
    pair: Pair, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada = await people.person()
    ids = await organizations(pair, ROUNDS, OWNER=ada.user_id)
    make = """INSERT INTO projects (organization_id, project_id, slug, display_name, delete_time, purge_time)
              SELECT id, gen_random_uuid(), 'api', 'API', now(), now() + interval '1 day' FROM unnest(%s::uuid[]) id
              RETURNING project_id::text, organization_id::text"""
    made = by_first(await rows(pair, make, (ids,)))
    answers = await race(
        list(made),
        lambda each: call(tenancy, projects.DeleteProjectRequest(project_id=each), ada.metadata),
        lambda each: call(tenancy, projects.UndeleteProjectRequest(project_id=each), ada.metadata),
    )
    deleted = by_first(await rows(pair, DELETED.format("projects"), (ids,)))
    check(
        [(*both, deleted[made[each]]) for both, each in zip(answers, made, strict=True)],
        ("OK", "OK", True),
        ("PERMISSION_DENIED", "OK", False),
    )
