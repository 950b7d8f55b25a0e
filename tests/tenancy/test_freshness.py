"""The very next check after a revocation, a lowered role or a removal is refused, each of many times."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg

from protos.identity.v1.sessions_pb2 import RevokeSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.tenancy.v1 import access_pb2 as pb
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from protos.tenancy.v1.organization_members_pb2 import RemoveOrganizationMemberRequest
from protos.tenancy.v1.organization_members_pb2_grpc import OrganizationMemberServiceStub
from protos.tenancy.v1.roles_pb2 import OrgRole
from tenantry.testing.pair import Pair
from tenantry.testing.people import People, TestPerson
from tests.calls import code
from tests.rounds import IS_LONG

TIMES = 400 if IS_LONG else 150
AT_ONCE = 8  # so that the checks travel in batches with others that are under way


async def in_parallel(people: list[TestPerson], one: Callable[[TestPerson], Awaitable[None]]) -> None:
    waiting = iter(people)

    async def worker() -> None:
        for person in waiting:
            await one(person)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(worker())


INSERT_MEMBERS = """INSERT INTO organization_members (organization_id, user_id, role)
                    SELECT %s, unnest(%s::uuid[]), 'MEMBER'"""


async def test_the_next_check_sees_each_change(pair: Pair, people: People) -> None:
    ada, members = await people.person("ada"), await people.persons(TIMES)
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        await connection.execute(INSERT_MEMBERS, (acme, [person.user_id for person in members]))
    access = AccessServiceStub(pair.tenancy.channel)
    sessions = SessionServiceStub(pair.identity.channel)
    memberships = OrganizationMemberServiceStub(pair.tenancy.channel)
    question = pb.CheckAccessRequest(project_id=api, permission="project:read")

    async def lower_remove_and_revoke(person: TestPerson) -> None:
        assert (await access.CheckAccess(question, metadata=person.metadata)).allowed
        await people.set_role(api, person, "NONE", ada)
        answer = await access.CheckAccess(question, metadata=person.metadata)
        assert (answer.allowed, answer.organization_role) == (False, OrgRole.ORG_ROLE_MEMBER)
        remove = RemoveOrganizationMemberRequest(organization_id=acme, user_id=person.user_id)
        await memberships.RemoveOrganizationMember(remove, metadata=ada.metadata)
        answer = await access.CheckAccess(question, metadata=person.metadata)
        assert (answer.allowed, answer.organization_role) == (False, OrgRole.ORG_ROLE_UNSPECIFIED)
        await sessions.RevokeSession(RevokeSessionRequest(), metadata=person.metadata)
        assert await code(access.CheckAccess(question, metadata=person.metadata)) == "UNAUTHENTICATED"

    await in_parallel(members, lower_remove_and_revoke)
