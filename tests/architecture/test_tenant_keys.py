"""Every statement of tenancy carries organization_id, or says here why not; so does every key.

All queries are really executed, on tables in parts by organization_id (partitioned.py), and PostgreSQL says of each
statement whether it stays in one part. docs/scaling.md shows the same exceptions, and what becomes of them when the
tables are distributed.
"""

import re
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from sqlalchemy import PrimaryKeyConstraint

from shared.database import Database
from tenancy_service.tables import metadata
from tenantry.testing.databases import Databases
from tests.architecture import partitioned
from tests.architecture.every_query import SHARED, Recording, queries
from tests.architecture.partitioned import DISTRIBUTED, KEY, columns, unique_keys
from tests.architecture.project import ROOT, python_files, shown

PAGE = (ROOT / "docs" / "scaling.md").read_text()

# By module and name. Whatever is not here names its organization for every table that it reads or writes.
STATEMENTS = {
    "access.roles_in_places": "each question of a batch names its own place, some by the project alone",
    "access.get_roles_in_place": "the project alone may be named; the override is found by the project's row",
    "accessible_projects.list_accessible_projects": "all organizations of a user; in one, it is the membership's",
    "audit_events.list_audit_events": "for services, over all organizations; for people in one",
    "events.list_organizations_after": "a snapshot of all organizations, for services",
    "invitations.get_invitation": "the invitation alone is named",
    "invitations.get_invitation_by_secret": "the secret of a mail is all that its reader has",
    "invitations.list_invitations": "the roles on projects are found by the invitation's row",
    "invitations.list_invitations_of_address": "what waits for somebody, in all organizations",
    "organization_members.list_memberships_of_users": "a deleted user leaves all organizations",
    "organizations.get_organization_id": "a slug is unique over all organizations, and leads to one",
    "organizations.list_organizations": "all organizations of a user, or for services all there are",
    "projects.get_project": "the project alone is named",
    "projects.get_project_even_deleted": "the project alone is named",
    "quotas.count_owned_organizations": "the quota is one user's, over all organizations",
    "upkeep.delete_past_purge_time": "finds what is due anywhere; what it then deletes carries the key",
    "users_to_check.insert_all_users_to_check": "all users who are members anywhere, when events were missed",
    "users_to_check.list_newest_members": "a sample of all members, when events were missed",
    "shared.event_log.EventLog": "one stream of events in one order, for services",
    "shared.event_log.raise_epoch": "asks at the start whether the database was restored",
    "shared.mail.worker": "sends the mail that has been due longest; its row then carries the key",
    "shared.tidy": "clears away what has had its time, anywhere",
}
# Tables that are of no organization, and keys that cannot begin with one.
KEYS = {
    "pk_events": "an event's number is its place among all events",
    "uq_organizations_slug": "an address that leads to one organization, whoever asks",
    "uq_organization_slugs_slug": "the same for the slugs it had",
    "pk_event_epoch": "one row",
    "pk_identity_cursor": "one row",
    "pk_request_results": "a caller's, whatever the request is about",
    "pk_set_aside_events": "identity's events are about users",
    "pk_user_names": "users, known in any number of organizations",
    "pk_users_to_check": "users, known in any number of organizations",
}


@pytest.fixture(scope="module")
async def recording(databases: Databases) -> AsyncIterator[Recording]:
    url = partitioned.make(databases)
    database = Database(url, pool_size=2, name="test", constraint_errors={})
    await database.open()
    recording = Recording(database, url)
    with recording.listening():
        await recording.call_all()
    yield recording
    await database.close()


@pytest.fixture(scope="module")
def connection(recording: Recording) -> "Iterator[psycopg.Connection[tuple[object, ...]]]":
    with psycopg.connect(recording.url, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("name", [*queries(), *SHARED])
def test_a_statement_carries_its_organization_or_says_why_not(
    name: str, recording: Recording, connection: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    executed = recording.statements[name]
    without = [each for each in executed if partitioned.everywhere(connection, *each)]
    if name in STATEMENTS:
        assert without, f"{name} needs no exception any more"
    else:
        assert not without, f"no {KEY} for {partitioned.everywhere(connection, *without[0])}: {without[0][0]}"


def test_every_exception_is_of_a_query_that_is_there() -> None:
    assert STATEMENTS.keys() <= queries().keys() | SHARED.keys()


def test_statements_are_written_nowhere_else() -> None:
    """Or they would not be looked at here."""
    ours = [p for p in python_files("tenancy_service", "shared") if p.parent.name not in ("queries", "tables")]
    writing = re.compile(r"^ *(from|import) (sqlalchemy|psycopg)", re.MULTILINE)
    assert {shown(path) for path in ours if writing.search(path.read_text())} == {
        "shared/audit_trail.py",  # list_audit_events
        "shared/database.py",  # reads no table
        "shared/hot_connection.py",  # has no statement of its own
        "shared/event_log.py",
        "shared/filters.py",  # conditions
        "shared/mail/outbox.py",  # insert_outbox_email
        "shared/mail/outbox_emails.py",
        "shared/record_tables.py",
        "shared/request_results.py",
        "shared/schema.py",
        "shared/tidy.py",
    }


def test_a_key_has_its_organization_or_says_why_not() -> None:
    """Primary keys begin with it."""
    without = set()
    for table in metadata.tables.values():
        for key in unique_keys(table):
            fits = columns(key)[0] == KEY if isinstance(key, PrimaryKeyConstraint) else KEY in columns(key)
            if not fits:
                without.add(str(key.name))
    assert without == KEYS.keys()


def test_a_reference_stays_in_its_organization() -> None:
    for name in DISTRIBUTED:
        assert not metadata.tables[name].c[KEY].nullable
        for reference in metadata.tables[name].foreign_key_constraints:
            pairs = {(element.parent.name, element.column.name) for element in reference.elements}
            assert (KEY, KEY) in pairs, reference.name


def test_the_page_shows_the_same_exceptions() -> None:
    assert told("Statements without the key") == STATEMENTS
    shown_keys = told("Every key and reference")
    assert {name: why for name, why in shown_keys.items() if why != "yes"} == KEYS
    there = {str(key.name) for table in metadata.tables.values() for key in unique_keys(table)}
    there |= {str(c.name) for table in metadata.tables.values() for c in table.foreign_key_constraints}
    assert shown_keys.keys() == there


def told(heading: str) -> dict[str, str]:
    """The first two columns of the table below it."""
    section = PAGE.partition(f"### {heading}\n")[2].partition("\n#")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", section, re.MULTILINE))
