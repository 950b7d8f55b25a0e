"""identity.v1.EventService."""

from collections.abc import AsyncIterator

from identity_service import to_proto
from identity_service.parts import Handlers
from identity_service.queries import events
from protos.identity.v1 import events_pb2 as pb
from protos.identity.v1.events_pb2_grpc import EventServiceServicer
from protos.identity.v1.users_pb2 import User
from shared.call import Context
from shared.database import Row
from shared.event_cursor import Cursor, Place
from shared.fields import NIL
from shared.timestamps import timestamp

PAGE = 100  # accounts of a snapshot that are held at once
TYPES = {name.removeprefix("EVENT_TYPE_"): number for name, number in pb.EventType.items()}


class Events(Handlers, EventServiceServicer):
    def StreamEvents(self, request: pb.StreamEventsRequest, context: Context) -> AsyncIterator[pb.StreamEventsResponse]:
        return self.parts.event_streams.respond(
            request.cursor,
            with_snapshot=request.snapshot,
            beginning=(NIL,),
            snapshot=self._accounts,
            told=response_with,
        )

    async def _accounts(self, place: Place) -> AsyncIterator[tuple[Place, pb.StreamEventsResponse]]:
        """Those with an id above the place, which has one."""
        more = True
        while more:
            async with self.parts.database.single_read() as tx:
                rows = await events.list_users_after(tx, after=place[0], limit=PAGE)
            for row in rows:
                place = (row.user_id,)
                yield place, pb.StreamEventsResponse(snapshot_user=to_proto.public_user(row))
            more = len(rows) == PAGE


def response_with(cursor: Cursor, row: Row | None) -> pb.StreamEventsResponse:
    """An event, or without one a heartbeat."""
    if row is None:
        return pb.StreamEventsResponse(heartbeat=pb.Heartbeat(time=timestamp(cursor.time)))
    event = pb.Event(
        event_id=str(row.event_id),
        # A newer server's type is unspecified for this one; to fail would hold all later events back.
        type=TYPES.get(row.type, pb.EVENT_TYPE_UNSPECIFIED),
        create_time=timestamp(row.create_time),
        user_id=str(row.user_id),
        user=None if row.user_message is None else User.FromString(row.user_message),
        session_id=str(row.session_id) if row.session_id else "",
    )
    return pb.StreamEventsResponse(event=event)
