"""People and places for tests. Sessions are real rows, made without hashing a password."""

import functools
import itertools
import json
from dataclasses import dataclass
from uuid import UUID

import psycopg
from argon2 import PasswordHasher
from uuid_utils.compat import uuid7

from identity_service import tokens
from identity_service.passwords import MEMORY, PARALLELISM, TIME
from protos.tenancy.v1.organization_members_pb2 import AddOrganizationMemberRequest
from protos.tenancy.v1.organization_members_pb2_grpc import OrganizationMemberServiceStub
from protos.tenancy.v1.organizations_pb2 import CreateOrganizationRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.project_members_pb2 import SetProjectRoleRequest
from protos.tenancy.v1.project_members_pb2_grpc import ProjectMemberServiceStub
from protos.tenancy.v1.projects_pb2 import CreateProjectRequest
from protos.tenancy.v1.projects_pb2_grpc import ProjectServiceStub
from tenancy_service.permissions import OrgRole, ProjectRole
from tenantry.testing.pair import OPERATOR_KEY, Pair

Metadata = tuple[tuple[str, str], ...]
AS_OPERATOR: Metadata = (("x-service-key", OPERATOR_KEY),)

INSERT_USER = """INSERT INTO users (user_id, email, email_key, display_name, password_hash, email_verified_time)
                 VALUES (%s, %s, %s, %s, %s, now())"""
INSERT_SESSION = """INSERT INTO session (sid, sess, expire, amr)
                    VALUES (%s, %s, date_trunc('second', now() + interval '30 minutes'), '{pwd}')
                    RETURNING session_id"""


@dataclass(frozen=True)
class TestPerson:
    """Somebody with an account and a session; `metadata` makes a call theirs."""

    user_id: str
    email: str
    token: str
    session_id: str
    sid: str

    __test__ = False

    @property
    def metadata(self) -> Metadata:
        return (("authorization", f"Bearer {self.token}"),)


class People:
    """Makes people, organizations and projects; every one is new, so that tests need no clean-up."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._numbers = itertools.count(1)

    async def person(self, name: str = "person", password: str | None = None) -> TestPerson:
        [made] = await self.persons(1, name, password)
        return made

    async def persons(self, count: int, name: str = "person", password: str | None = None) -> list[TestPerson]:
        """Without a password nobody can sign in as them, but they are signed in."""
        async with await psycopg.AsyncConnection.connect(self._pair.identity.database_url) as connection:
            return [await self._person(connection, name, password) for _ in range(count)]

    async def _person(
        self, connection: "psycopg.AsyncConnection[tuple[object, ...]]", name: str, password: str | None
    ) -> TestPerson:
        user_id = uuid7()
        email = f"{name}.{next(self._numbers)}.{user_id.hex[-6:]}@example.com"
        hashed = hash_of(password) if password else None
        await connection.execute(INSERT_USER, (user_id, email, email, name, hashed))
        sid, session_id = await insert_session(connection, user_id)
        token = tokens.sign(sid, self._pair.session_secret)
        return TestPerson(str(user_id), email, token, str(session_id), sid)

    async def session(self, person: TestPerson) -> TestPerson:
        """The same person with another session."""
        async with await psycopg.AsyncConnection.connect(self._pair.identity.database_url) as connection:
            sid, session_id = await insert_session(connection, UUID(person.user_id))
        token = tokens.sign(sid, self._pair.session_secret)
        return TestPerson(person.user_id, person.email, token, str(session_id), sid)

    def slug(self, name: str = "acme") -> str:
        return f"{name}-{next(self._numbers)}"

    async def organization(self, owner: TestPerson, **members: TestPerson | list[TestPerson]) -> str:
        """The id of a new one; `members` by role: ADMIN=bo, MEMBER=[cy, di]."""
        stub = OrganizationServiceStub(self._pair.tenancy.channel)
        response = await stub.CreateOrganization(CreateOrganizationRequest(slug=self.slug()), metadata=owner.metadata)
        for role, people in members.items():
            for person in people if isinstance(people, list) else [people]:
                await self.add(response.organization.organization_id, person, role)
        return response.organization.organization_id

    async def add(self, organization_id: str, person: TestPerson, role: str) -> None:
        request = AddOrganizationMemberRequest(
            organization_id=organization_id,
            user_id=person.user_id,
            role=OrgRole[role].value,  # type: ignore[arg-type]
        )
        stub = OrganizationMemberServiceStub(self._pair.tenancy.channel)
        await stub.AddOrganizationMember(request, metadata=AS_OPERATOR)

    async def project(self, organization_id: str, admin: TestPerson, **roles: TestPerson) -> str:
        """The id of a new one; `roles` are overrides: EDITOR=bo, NONE=cy."""
        request = CreateProjectRequest(organization_id=organization_id, slug=self.slug("api"))
        response = await ProjectServiceStub(self._pair.tenancy.channel).CreateProject(request, metadata=admin.metadata)
        for role, person in roles.items():
            await self.set_role(response.project.project_id, person, role, admin)
        return response.project.project_id

    async def set_role(self, project_id: str, person: TestPerson, role: str, admin: TestPerson) -> None:
        request = SetProjectRoleRequest(
            project_id=project_id,
            user_id=person.user_id,
            role=ProjectRole[role].value,  # type: ignore[arg-type]
        )
        await ProjectMemberServiceStub(self._pair.tenancy.channel).SetProjectRole(request, metadata=admin.metadata)


@functools.cache
def hash_of(password: str) -> str:
    """With the parameters of production; once for each password."""
    return PasswordHasher(TIME, MEMORY, PARALLELISM).hash(password)


async def insert_session(
    connection: "psycopg.AsyncConnection[tuple[object, ...]]", user_id: UUID
) -> tuple[str, object]:
    sid = tokens.make_sid()
    sess = {"cookie": {"originalMaxAge": 1_800_000, "httpOnly": True, "path": "/"}, "userId": str(user_id)}
    cursor = await connection.execute(INSERT_SESSION, (sid, json.dumps(sess)))
    row = await cursor.fetchone()
    assert row is not None
    return sid, row[0]
