"""What the worker clears away: deleted organizations and projects past their purge time, and what has had its time."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest
from psycopg.rows import TupleRow
from sqlalchemy.dialects.postgresql import dialect

from protos.tenancy.v1 import organizations_pb2 as pb
from shared import tidy
from shared.database import Database
from tenancy_service.constraint_errors import CONSTRAINT_ERRORS
from tenancy_service.queries import upkeep
from tenancy_service.tables import metadata, organizations, projects
from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair
from tenantry.testing.people import People
from tests.calls import code
from tests.tenancy import races
from tests.tenancy.rpcs import call, everything_of

USELESS = upkeep.useless(events_keep=timedelta(days=30, hours=1))
PURGE = "UPDATE {} SET delete_time = now() - interval '1 day', purge_time = now() - interval '1 s' WHERE {} = %s"
INVITE = """INSERT INTO invitations (organization_id, invitation_id, email, email_key, role, expire_time, state)
            VALUES (%s, %s, %s, %s, 'MEMBER', now() + %s::interval, %s)"""
INVITE_TO_PROJECT = """INSERT INTO invitation_project_roles (organization_id, invitation_id, project_id, role)
                       VALUES (%s, %s, %s, 'VIEWER')"""
MAIL = """INSERT INTO outbox_emails (organization_id, email_id, invitation_id, template, address, sent_time)
          VALUES (%s, gen_random_uuid(), %s, 'invitation', 'ada@example.com', now() + %s::interval)"""
LARGE = """
    WITH o AS (INSERT INTO organizations (organization_id, slug, display_name, delete_time, purge_time)
                    VALUES (%(id)s, %(slug)s, 'Large', now(), now()) RETURNING 1),
         m AS (INSERT INTO organization_members (organization_id, user_id, role)
               SELECT %(id)s, gen_random_uuid(), 'MEMBER' FROM generate_series(1, %(count)s) RETURNING user_id),
         p AS (INSERT INTO projects (organization_id, project_id, slug, display_name)
               SELECT %(id)s, gen_random_uuid(), 'project-' || n, 'P' FROM generate_series(1, %(count)s) n
            RETURNING project_id)
    INSERT INTO project_members (organization_id, project_id, user_id, inherited_from_org, role)
    SELECT %(id)s, project_id, user_id, false, 'EDITOR'
      FROM (SELECT project_id, row_number() OVER () AS n FROM p) p
      JOIN (SELECT user_id, row_number() OVER () AS n FROM m) m USING (n)"""


@pytest.fixture
async def database(pair: Pair) -> AsyncIterator[Database]:
    """With the rights and limits of the service."""
    made = Database(pair.tenancy.database_url, pool_size=2, name="t", constraint_errors=CONSTRAINT_ERRORS)
    yield made
    await made.close()


async def write(pair: Pair, *statements: tuple[str, tuple[Any, ...]]) -> None:
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        for statement, values in statements:
            await connection.execute(statement.encode(), values)


async def invited(pair: Pair, acme: str, api: str, expires_in: str = "1 day", state: str = "PENDING") -> str:
    """A new invitation with a role on a project, and the mail about it."""
    invitation, address = str(uuid4()), f"{uuid4().hex}@example.com"
    await write(
        pair,
        (INVITE, (acme, invitation, address, address, expires_in, state)),
        (INVITE_TO_PROJECT, (acme, invitation, api)),
        (MAIL, (acme, invitation, "0 s")),
    )
    return invitation


async def test_an_organization_past_its_purge_time_goes_with_all_but_its_audit_and_its_slugs_are_free(
    pair: Pair, people: People, tenancy: grpc.aio.Channel, database: Database
) -> None:
    ada, bo = await people.persons(2)
    places = [await people.organization(ada, MEMBER=bo) for _ in range(3)]
    slug = people.slug("renamed")
    change = pb.Organization(organization_id=places[0], slug=slug)
    await call(tenancy, pb.UpdateOrganizationRequest(organization=change), ada.metadata)
    for acme in places:
        await invited(pair, acme, await people.project(acme, ada, EDITOR=bo))
    gone, deleted, alive = places
    await call(tenancy, pb.DeleteOrganizationRequest(organization_id=deleted, force=True), ada.metadata)
    await write(pair, (PURGE.format("organizations", "organization_id"), (gone,)))
    before = {acme: await everything_of(pair, acme) for acme in places}
    await upkeep.delete_past_purge_time(database)
    after = await everything_of(pair, gone)
    kept = ("events", "audit_events")
    assert after == {table: before[gone][table] if table in kept else [] for table in after}
    for acme in (deleted, alive):
        assert await everything_of(pair, acme) == before[acme]
    assert await code(call(tenancy, pb.CreateOrganizationRequest(slug=slug), bo.metadata)) == "OK"
    assert await code(call(tenancy, pb.UndeleteOrganizationRequest(organization_id=gone), ada.metadata)) != "OK"
    assert await code(call(tenancy, pb.UndeleteOrganizationRequest(organization_id=deleted), ada.metadata)) == "OK"


async def test_a_project_past_its_purge_time_goes_with_its_roles(
    pair: Pair, people: People, database: Database
) -> None:
    ada, bo = await people.persons(2)
    acme = await people.organization(ada, MEMBER=bo)
    gone, alive = await people.project(acme, ada, EDITOR=bo), await people.project(acme, ada, EDITOR=bo)
    await write(pair, (PURGE.format("projects", "project_id"), (gone,)))
    await upkeep.delete_past_purge_time(database)
    for table in ("projects", "project_members"):
        left = f"SELECT project_id::text FROM {table} WHERE organization_id = %s"
        assert await races.rows(pair, left, [acme]) == [(alive,)]


def test_everything_that_hangs_on_them_is_deleted_first() -> None:
    """All that refers to them, straight or by way of others, but slugs: of those there are at most eleven."""
    for top in (organizations, projects):
        hanging, found = {top}, {top}
        while found:
            found = {
                table
                for table in metadata.tables.values()
                if table not in hanging and any(key.column.table in hanging for key in table.foreign_keys)
            }
            hanging |= found
        names = {table.name for table in hanging - {top}} - {"organization_slugs"}
        order = upkeep.HANGING_ON[top]
        assert {table.name for table in order} == names
        for n, table in enumerate(order):
            assert not {key.column.table for key in table.foreign_keys} & set(order[:n]), table


async def test_a_large_organization_goes_in_small_batches_and_others_are_not_kept_waiting(
    pair: Pair, people: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization_id, count = str(uuid4()), 3 * tidy.BATCH
    values = {"id": organization_id, "slug": people.slug("large"), "count": count}
    await races.rows(pair, f"{LARGE} RETURNING 1", values)
    deleted: list[int] = []
    delete_some = tidy.delete_some

    async def counted(*arguments: Any) -> int:
        deleted.append(await delete_some(*arguments))
        return deleted[-1]

    monkeypatch.setattr(upkeep, "delete_some", counted)
    await upkeep.delete_past_purge_time(database)
    assert max(deleted) == tidy.BATCH
    assert sum(deleted) >= 3 * count
    after = await everything_of(pair, organization_id)
    assert not any(after.values())


async def test_two_workers_do_not_hinder_each_other(pair: Pair, people: People, database: Database) -> None:
    """What somebody else holds is left to them, and nobody waits."""
    ada = await people.person()
    held, free = [await people.organization(ada) for _ in range(2)]
    for acme in (held, free):
        await write(pair, (PURGE.format("organizations", "organization_id"), (acme,)))
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as other:
        await other.execute("SELECT FROM organizations WHERE organization_id = %s FOR UPDATE", (held,))
        await upkeep.delete_past_purge_time(database)
        left = "SELECT organization_id::text FROM organizations WHERE organization_id = ANY(%s)"
        assert await races.rows(pair, left, [[held, free]]) == [(held,)]
    await upkeep.delete_past_purge_time(database)
    assert await races.rows(pair, left, [[held, free]]) == []


async def test_what_has_had_its_time_goes(pair: Pair, people: People, database: Database) -> None:
    ada = await people.person()
    acme = await people.organization(ada)
    api = await people.project(acme, ada)
    kept = [
        await invited(pair, acme, api, "-89 days"),
        await invited(pair, acme, api, state="REVOKED"),
        await invited(pair, acme, api),
    ]
    for state in ("PENDING", "ACCEPTED"):
        await invited(pair, acme, api, "-91 days", state)
    await write(pair, (MAIL, (acme, kept[0], "-8 days")), (MAIL, (acme, kept[0], "-6 days")))
    old = "UPDATE events SET create_time = now() - %s::interval WHERE organization_id = %s AND type = %s"
    await write(
        pair,
        (old, ("30 days 2 hours", acme, "ORGANIZATION_CREATED")),
        (old, ("30 days 30 minutes", acme, "MEMBER_ADDED")),
    )
    await tidy.tidy(database, USELESS)

    async def left(what: str, table: str) -> list[TupleRow]:
        return await races.rows(pair, f"SELECT {what} FROM {table} WHERE organization_id = %s ORDER BY 1", [acme])

    for table in ("invitations", "invitation_project_roles"):
        assert await left("invitation_id::text", table) == sorted((each,) for each in kept)
    assert await left("count(*)", "outbox_emails") == [(len(kept) + 1,)]
    types = [row[0] for row in await left("type", "events")]
    assert "ORGANIZATION_CREATED" not in types
    assert "MEMBER_ADDED" in types


async def test_the_worker_finds_its_rows_by_an_index(databases: Databases) -> None:
    """However many organizations there are that are not deleted: it looks every quarter of an hour."""
    url = databases.service_url("tenancy", databases.copy("tenancy"))
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(
            b"INSERT INTO organizations (organization_id, slug, display_name)"
            b" SELECT gen_random_uuid(), 'many-' || n, 'Many' FROM generate_series(1, 5000) n"
        )
        postgresql = dialect()  # type: ignore[no-untyped-call]
        due = upkeep.next_due(organizations).compile(dialect=postgresql, compile_kwargs={"literal_binds": True})
        plan = await (await connection.execute(f"EXPLAIN {due}".encode())).fetchall()
    assert "ix_organizations_purge_time" in str(plan)
