"""What the audits of both services have in common: how events are listed, and who sees from where somebody acted."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, func, select

from shared.caller import Caller
from shared.database import Row
from shared.timestamps import timestamp

Event = TypeVar("Event", bound=Any)


def newest_first(
    table: Table, *conditions: ColumnElement[bool] | None, before: UUID | None, limit: int
) -> Select[tuple[Any, ...]]:
    """A page; conditions that are None are none, and `before` is the last audit_event_id of the page before."""
    shown = [func.host(column).label("ip") if column.name == "ip" else column for column in table.c]
    key = table.c.audit_event_id
    statement = select(*shown).order_by(key.desc()).limit(limit)
    for each in (*conditions, None if before is None else key < before):
        if each is not None:
            statement = statement.where(each)
    return statement


def filled(message: Event, row: Row, caller: Caller) -> Event:
    """The message with what both services tell, as the caller may see it.

    From where a service of ours acted is nothing for people.
    """
    message.audit_event_id = str(row.audit_event_id)
    message.create_time.CopyFrom(timestamp(row.create_time))
    message.action = row.action
    message.actor_user_id = str(row.actor_user_id or "")
    message.actor_service = row.actor_service or ""
    message.session_id = str(row.session_id or "")
    if row.details:
        message.details.update(row.details)
    if caller.person is None or row.actor_service is None or row.actor_user_id is not None:
        message.ip = row.ip or ""
        message.user_agent = row.user_agent or ""
        message.request_id = row.request_id or ""
    return message
