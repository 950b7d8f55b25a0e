"""identity.v1.AuditService."""

from identity_service import authorize
from identity_service.audit import Action
from identity_service.parts import Handlers
from identity_service.queries import audit_events
from identity_service.tables import audit_events as table
from protos.identity.v1 import audit_events_pb2 as pb
from protos.identity.v1.audit_events_pb2_grpc import AuditServiceServicer
from shared import filters
from shared.audit_trail import filled
from shared.call import Context
from shared.caller import Caller, current_caller
from shared.database import Row
from shared.fields import reading
from shared.filters import Field
from shared.pages import Pages, that_fit

FILTERS = {
    "action": Field(table.c.action, filters.one_of(*Action)),
    "create_time": Field(table.c.create_time, filters.time, "= < <= > >="),
}


class AuditEvents(Handlers, AuditServiceServicer):
    async def ListAuditEvents(self, request: pb.ListAuditEventsRequest, context: Context) -> pb.ListAuditEventsResponse:
        caller = current_caller()
        with reading() as read:
            size = read.page_size("page_size", request.page_size)
            named = read.optional_uuid("user_id", request.user_id)
            condition = filters.read(read, "filter", request.filter, FILTERS)
        # A service that names nobody gets the events of all, a person never.
        user_id = authorize.subject(caller, named) if caller.person or named else None
        pages = Pages(caller, "ListAuditEvents", user_id, request.filter)
        before = pages.last_id(request.page_token)
        async with self.parts.database.transaction() as tx:
            rows = await audit_events.list_audit_events(
                tx, user_id=user_id, condition=condition, before=before, limit=size + 1
            )
        shown = that_fit(audit_event(row, caller) for row in rows[:size])
        last = rows[len(shown) - 1] if len(rows) > len(shown) else None
        return pb.ListAuditEventsResponse(
            audit_events=shown, next_page_token=pages.token(last.audit_event_id) if last else ""
        )


def audit_event(row: Row, caller: Caller) -> pb.AuditEvent:
    return filled(pb.AuditEvent(user_id=str(row.user_id or "")), row, caller)
