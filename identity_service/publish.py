"""Write the events that others follow, in the transaction of the change. Read by EventService/StreamEvents."""

from collections.abc import Sequence
from typing import Literal, TypeAlias
from uuid import UUID

from identity_service import to_proto
from identity_service.queries import events
from shared.database import Row, Tx

UserEvent: TypeAlias = Literal[
    "USER_CREATED", "USER_UPDATED", "USER_SUSPENDED", "USER_REACTIVATED", "USER_DELETED", "USER_UNDELETED"
]
SessionEvent: TypeAlias = Literal["SESSION_CREATED", "SESSION_ENDED"]


async def user_changed(tx: Tx, type_: UserEvent, rows: Sequence[Row]) -> None:
    """`rows` are the users right after the change. A deleted one is only named."""
    await events.insert_events(
        tx,
        new=[
            {
                "type": type_,
                "user_id": row.user_id,
                "user_message": None if type_ == "USER_DELETED" else to_proto.public_user(row).SerializeToString(),
            }
            for row in rows
        ],
    )


async def sessions_changed(tx: Tx, type_: SessionEvent, user_id: UUID, session_ids: Sequence[UUID]) -> None:
    await events.insert_session_events(tx, type_=type_, user_id=user_id, session_ids=session_ids)
