"""The tables of the audits, in both services: nobody changes what is written there."""

import psycopg
import pytest
from uuid_utils.compat import uuid7

from tenantry.testing.databases import Databases
from tenantry.testing.pair import Pair, Service

HAPPENED = {
    "identity": "INSERT INTO audit_events (audit_event_id, action, create_time) VALUES (%s, 'SIGN_IN_FAILED', %s)",
    "tenancy": """INSERT INTO audit_events (organization_id, audit_event_id, action, create_time)
                  VALUES (gen_random_uuid(), %s, 'ORGANIZATION_UPDATED', %s)""",
}


@pytest.fixture(params=HAPPENED.keys())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def service(pair: Pair, name: str) -> Service:
    return pair.identity if name == "identity" else pair.tenancy


async def happened(pair: Pair, name: str, time: str) -> str:
    event_id = str(uuid7())
    async with await psycopg.AsyncConnection.connect(service(pair, name).database_url) as connection:
        await connection.execute(HAPPENED[name].encode(), (event_id, time))
    return event_id


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET action = 'NOTHING'",
        "UPDATE audit_events SET action = 'NOTHING' WHERE false",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "INSERT INTO audit_events SELECT * FROM audit_events ON CONFLICT ON CONSTRAINT pk_audit_events"
        " DO UPDATE SET action = 'NOTHING'",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_events_append_only ON audit_events",
        "SET session_replication_role = replica",
    ],
)
async def test_the_service_can_only_append(pair: Pair, name: str, statement: str) -> None:
    await happened(pair, name, "2026-01-01T00:00:00Z")
    async with await psycopg.AsyncConnection.connect(service(pair, name).database_url) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(statement.encode())


async def test_the_owner_may_delete_to_keep_to_a_retention(pair: Pair, databases: Databases, name: str) -> None:
    old = await happened(pair, name, "2020-01-01T00:00:00Z")
    database = service(pair, name).database_url.rpartition("/")[2]
    async with await psycopg.AsyncConnection.connect(databases.owner_url(name, database)) as owner:
        deleted = await owner.execute("DELETE FROM audit_events WHERE create_time < '2020-06-01'")
        assert deleted.rowcount == 1
        left = await owner.execute("SELECT FROM audit_events WHERE audit_event_id = %s", (old,))
        assert await left.fetchone() is None
