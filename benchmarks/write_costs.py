"""What one call that writes costs PostgreSQL: statements, commits, bytes of WAL."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, LiteralString

import psycopg

from benchmarks.table_sizes import Connection
from protos.identity.v1.sessions_pb2 import CreateSessionRequest, ValidateSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.tenancy.v1.organization_members_pb2 import AddOrganizationMemberRequest
from protos.tenancy.v1.organization_members_pb2_grpc import OrganizationMemberServiceStub
from protos.tenancy.v1.organizations_pb2 import CreateOrganizationRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from protos.tenancy.v1.projects_pb2 import CreateProjectRequest
from protos.tenancy.v1.projects_pb2_grpc import ProjectServiceStub
from protos.tenancy.v1.roles_pb2 import ORG_ROLE_MEMBER
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, running_pair
from tenantry.testing.people import AS_OPERATOR, People, TestPerson

CALLS = 400
SIGN_INS = 60  # argon2 takes its time
AT_ONCE = 4
PASSWORD = "tulip orbit canyon maple"
COUNTED = """
SELECT sum(calls)::float8, coalesce(sum(calls) FILTER (WHERE query = 'COMMIT'), 0)::float8
  FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname <> 'postgres'"""
LONG_AGO = "UPDATE session SET last_seen_at = now() - interval '2 minutes' WHERE sid = ANY(%s)"
UNSEEN = "SELECT count(*) FROM session WHERE sid = ANY(%s) AND last_seen_at < now() - interval '1 minute'"

Call = Callable[[], Awaitable[Any]]


async def show(found: Databases, admin: Connection) -> None:
    """Right after a checkpoint the first change of each page writes the whole page: that is measured apart."""
    print("\n| a call | statements | of them commits | bytes of WAL | right after a checkpoint |")
    print("|---|---|---|---|---|")
    async with running_pair(found) as pair:
        for name, rpc in (await calls(pair)).items():
            half = len(rpc) // 2
            await write_full_pages(admin, "on")
            first = await measured(admin, rpc[:half])
            await write_full_pages(admin, "off")
            second = await measured(admin, rpc[half:])
            print(f"| {name} | {second[0]:.1f} | {second[1]:.1f} | {second[2]:,.0f} | {first[2]:,.0f} |", flush=True)
        seen = await People(pair).persons(CALLS)
        sids = await make_long_unseen(pair, seen)
        before = position(admin)
        await see(pair, seen, sids)
        print(f"| a session seen again, after a minute | | | {(position(admin) - before) / CALLS:,.0f} | |")


async def write_full_pages(admin: Connection, switch: LiteralString) -> None:
    admin.execute(f"ALTER SYSTEM SET full_page_writes = {switch}")
    admin.execute("SELECT pg_reload_conf()")
    await asyncio.sleep(1)  # until the checkpointer has noticed
    admin.execute("CHECKPOINT")


async def measured(admin: Connection, work: list[Call]) -> tuple[float, float, float]:
    """For each call."""
    admin.execute("SELECT pg_stat_statements_reset()")
    before = position(admin)
    for begin in range(0, len(work), AT_ONCE):
        await asyncio.gather(*(call() for call in work[begin : begin + AT_ONCE]))
    written = position(admin) - before
    row = admin.execute(COUNTED).fetchone()
    assert row is not None
    return row[0] / len(work), row[1] / len(work), written / len(work)


def position(admin: Connection) -> int:
    """In the WAL, in bytes."""
    row = admin.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").fetchone()
    assert row is not None
    return int(row[0])


async def calls(pair: Pair) -> dict[str, list[Call]]:
    """Each of its own organization or person, as far as that matters."""
    people = People(pair)
    channel = pair.tenancy.channel
    owners = await people.persons(CALLS)
    ids = [await people.organization(owner) for owner in owners]
    others = await people.persons(CALLS)
    signing_in = await people.persons(SIGN_INS, password=PASSWORD)
    organizations = OrganizationServiceStub(channel).CreateOrganization
    projects = ProjectServiceStub(channel).CreateProject
    members = OrganizationMemberServiceStub(channel).AddOrganizationMember
    sessions = SessionServiceStub(pair.identity.channel)
    return {
        "CreateOrganization": [
            functools.partial(organizations, CreateOrganizationRequest(slug=people.slug()), metadata=owner.metadata)
            for owner in owners
        ],
        "CreateProject": [
            functools.partial(projects, CreateProjectRequest(organization_id=id_, slug="api"), metadata=owner.metadata)
            for id_, owner in zip(ids, owners, strict=True)
        ],
        "AddOrganizationMember": [
            functools.partial(
                members,
                AddOrganizationMemberRequest(organization_id=id_, user_id=other.user_id, role=ORG_ROLE_MEMBER),
                metadata=AS_OPERATOR,
            )
            for id_, other in zip(ids, others, strict=True)
        ],
        "CreateSession": [
            functools.partial(sessions.CreateSession, CreateSessionRequest(email=person.email, password=PASSWORD))
            for person in signing_in
        ],
        "ValidateSession": [
            functools.partial(sessions.ValidateSession, ValidateSessionRequest(token=owner.token), metadata=AS_OPERATOR)
            for owner in owners
        ],
    }


async def make_long_unseen(pair: Pair, people: list[TestPerson]) -> list[str]:
    sids = [person.sid for person in people]
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url) as connection:
        await connection.execute(LONG_AGO, [sids])
    return sids


async def see(pair: Pair, people: list[TestPerson], sids: list[str]) -> None:
    """And wait until that is written, which is done for many at once."""
    validate = SessionServiceStub(pair.identity.channel).ValidateSession
    requests = [ValidateSessionRequest(token=person.token) for person in people]
    await asyncio.gather(*(validate(request, metadata=AS_OPERATOR) for request in requests))
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url, autocommit=True) as connection:
        while True:
            unseen = await (await connection.execute(UNSEEN, [sids])).fetchone()
            if unseen == (0,):
                return
            await asyncio.sleep(0.05)
