"""identity.v1.EventService."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

from identity_service import to_proto
from identity_service.parts import Handlers
from identity_service.queries import events
from protos.identity.v1 import events_pb2 as pb
from protos.identity.v1.events_pb2_grpc import EventServiceServicer
from protos.identity.v1.users_pb2 import User
from shared import event_cursor
from shared.database import Row
from shared.event_cursor import Cursor
from shared.fields import NIL
from shared.interceptors import Context
from shared.timestamps import timestamp

PAGE = 100  # accounts of a snapshot that are held at once
TYPES = {name.removeprefix("EVENT_TYPE_"): number for name, number in pb.EventType.items()}


class Events(Handlers, EventServiceServicer):
    async def StreamEvents(
        self, request: pb.StreamEventsRequest, context: Context
    ) -> AsyncIterator[pb.StreamEventsResponse]:
        streams = self.parts.event_streams
        with streams.one():
            cursor = await self._begin(request)
            begins_here = not request.cursor or cursor.snapshot is not None
            if cursor.snapshot is not None:
                async for response in self._accounts(cursor, cursor.snapshot):
                    yield response
                cursor = replace(cursor, snapshot=None)
            async for after, row in streams.follow(cursor, heartbeat_first=begins_here):
                yield response_with(after, row)

    async def _begin(self, request: pb.StreamEventsRequest) -> Cursor:
        log = self.parts.event_streams.log
        if request.cursor:
            cursor = event_cursor.decode(request.cursor)
            await log.check(cursor)
            return cursor
        # Before the first account is read: what happens meanwhile comes as events.
        cursor = await log.beginning()
        return replace(cursor, snapshot=NIL) if request.snapshot else cursor

    async def _accounts(self, cursor: Cursor, after: UUID) -> AsyncIterator[pb.StreamEventsResponse]:
        """Those with an id above `after`, each with a cursor to go on from; fewer when the server stops."""
        more = True
        while more:
            async with self.parts.database.single_read() as tx:
                rows = await events.list_users_after(tx, after=after, limit=PAGE)
            for row in rows:
                if self.parts.event_streams.stopping.is_set():
                    return
                after = row.user_id
                text = replace(cursor, snapshot=after).encode()
                yield pb.StreamEventsResponse(cursor=text, snapshot_user=to_proto.public_user(row))
            more = len(rows) == PAGE


def response_with(cursor: Cursor, row: Row | None) -> pb.StreamEventsResponse:
    """An event, or without one a heartbeat."""
    if row is None:
        return pb.StreamEventsResponse(cursor=cursor.encode(), heartbeat=pb.Heartbeat(time=timestamp(cursor.time)))
    event = pb.Event(
        event_id=str(row.event_id),
        # A newer server's type is unspecified for this one; to fail would hold all later events back.
        type=TYPES.get(row.type, pb.EVENT_TYPE_UNSPECIFIED),
        create_time=timestamp(row.create_time),
        user_id=str(row.user_id),
        user=None if row.user_message is None else User.FromString(row.user_message),
        session_id=str(row.session_id) if row.session_id else "",
    )
    return pb.StreamEventsResponse(cursor=cursor.encode(), event=event)
