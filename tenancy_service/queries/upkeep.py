"""SQL of upkeep: what may be cleared away, and organizations and projects that go for good."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, Table, and_, delete, func, select

from shared.database import Database, Tx, first
from shared.mail.outbox_emails import sent_long_ago
from shared.request_results import no_longer_needed
from shared.tidy import BATCH, Useless, delete_some
from tenancy_service.tables import (
    events,
    invitation_project_roles,
    invitations,
    organization_members,
    organizations,
    outbox_emails,
    project_members,
    projects,
    request_results,
)

ENDED_INVITATIONS_DAYS = 90

# Deleted before the row that they hang on, in batches: a cascade over 50,000 members would hold its locks for long.
HANGING_ON: Mapping[Table, Sequence[Table]] = {
    projects: (project_members,),
    organizations: (
        project_members,
        projects,
        organization_members,
        invitation_project_roles,
        outbox_emails,
        invitations,
    ),
}


def useless(*, events_keep: timedelta) -> Useless:
    """Rows that have had their time. An invitation has ended, however it did, when it would have expired."""
    return {
        request_results: no_longer_needed(request_results),
        events: events.c.create_time < func.now() - events_keep,
        outbox_emails: sent_long_ago(outbox_emails),
        invitations: invitations.c.expire_time < func.now() - timedelta(days=ENDED_INVITATIONS_DAYS),
    }


async def delete_past_purge_time(database: Database) -> None:
    """All that are past it, each batch in a transaction of its own. Slugs are free again, audit events stay."""
    for table in HANGING_ON:
        more = True
        while more:
            async with database.transaction() as tx:
                more = await _delete_some_of_one(tx, table)


def next_due(table: Table) -> Select[Any]:
    """The key of the one that is longest past its purge time, locked."""
    due = select(*table.primary_key.columns).where(table.c.purge_time < func.now())
    return due.order_by(table.c.purge_time).limit(1).with_for_update(skip_locked=True)


async def _delete_some_of_one(tx: Tx, table: Table) -> bool:
    """Of the first that nobody else holds; False if there is none. Its row goes with the last batch."""
    keys = table.primary_key.columns
    row = await first(tx, next_due(table))
    if row is None:
        return False
    for each in HANGING_ON[table]:
        hanging = and_(*(each.c[key.name] == row._mapping[key.name] for key in keys))
        if await delete_some(tx, each, hanging) == BATCH:
            return True
    await tx.execute(delete(table).where(*(key == row._mapping[key.name] for key in keys)))
    return True
