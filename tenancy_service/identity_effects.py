"""What identity's events mean here: names to find members by, and the end of deleted users' memberships."""

from collections.abc import Sequence
from uuid import UUID

from shared.database import Database, Tx
from tenancy_service import departures, identity_client
from tenancy_service.identity_client import Told
from tenancy_service.queries import identity_events, user_names, users_to_check
from tenancy_service.queries.user_names import comparable


async def apply(tx: Tx, messages: Sequence[Told]) -> bool:
    """In order. False if there is more to do in further transactions: then the same messages again."""
    names: dict[UUID, tuple[str, str] | None] = {}
    deleted = []
    for told in messages:
        if told.type == "USER_DELETED":
            deleted.append(UUID(told.user_id))
            names[UUID(told.user_id)] = None
        elif told.name is not None:
            names[UUID(told.user_id)] = told.name
        elif told.type == "UNSPECIFIED":  # a newer identity's
            await users_to_check.insert_user_to_check(tx, user_id=UUID(told.user_id))
    if deleted and not await departures.remove_memberships(tx, deleted):
        return False
    rows = [
        {"user_id": user_id, "email_key": comparable(name[0]), "name_key": comparable(name[1])}
        for user_id, name in names.items()
        if name is not None
    ]
    await user_names.upsert_user_names(tx, names=rows)
    if gone := [user_id for user_id, name in names.items() if name is None]:
        await user_names.delete_user_names(tx, user_ids=gone)
    return True


async def apply_set_aside(database: Database, event_id: str) -> bool:
    """Once more, when what stood in its way is repaired; False if there is no such event. Raises if it fails again.

    For an operator, from a Python prompt: `await apply_set_aside(Database(url, …), event_id)`, for each event_id of
    `SELECT event_id, type, user_id, error FROM set_aside_events ORDER BY create_time`. A deletion is made up for; all
    that is newer than other events is asked for anew.
    """
    done = False
    while not done:
        async with database.transaction() as tx:
            row = await identity_events.lock_set_aside_event(tx, event_id=event_id)
            if row is None:
                return False
            told = identity_client.told_again(row.message)
            done = told.type != "USER_DELETED" or await apply(tx, [told])
            if done:
                await users_to_check.insert_user_to_check(tx, user_id=UUID(told.user_id))
                await identity_events.delete_set_aside_event(tx, event_id=event_id)
    return True
