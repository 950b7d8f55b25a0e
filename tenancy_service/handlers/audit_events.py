"""tenancy.v1.AuditService."""

from protos.tenancy.v1 import audit_events_pb2 as pb
from shared import filters
from shared.audit_trail import filled
from shared.call import Context
from shared.caller import Caller, current_caller
from shared.database import Row
from shared.fields import reading
from shared.filters import Field
from shared.pages import Pages, that_fit
from tenancy_service import authorize
from tenancy_service.audit import Action
from tenancy_service.parts import Handlers
from tenancy_service.permissions import Permission
from tenancy_service.queries import audit_events
from tenancy_service.tables import audit_events as table

FILTERS = {
    "action": Field(table.c.action, filters.one_of(*Action)),
    "actor_user_id": Field(table.c.actor_user_id, filters.uuid),
    "actor_service": Field(table.c.actor_service, str),
    "target_user_id": Field(table.c.target_user_id, filters.uuid),
    "project_id": Field(table.c.project_id, filters.uuid),
    "create_time": Field(table.c.create_time, filters.time, "= < <= > >="),
}


class Audit(Handlers):
    async def ListAuditEvents(self, request: pb.ListAuditEventsRequest, context: Context) -> pb.ListAuditEventsResponse:
        caller = current_caller()
        with reading() as read:
            size = read.page_size("page_size", request.page_size)
            # A service that names none gets the events of all, a person never.
            named = read.uuid if caller.person else read.optional_uuid
            organization_id = named("organization_id", request.organization_id)
            condition = filters.read(read, "filter", request.filter, FILTERS)
        pages = Pages(caller, "ListAuditEvents", organization_id, request.filter)
        before = pages.last_id(request.page_token)
        async with self.parts.database.transaction() as tx:
            # Services see what is left of purged organizations too.
            if caller.person and organization_id:
                await authorize.organization(tx, caller, organization_id, Permission.AUDIT_READ)
            rows = await audit_events.list_audit_events(
                tx, organization_id=organization_id, condition=condition, before=before, limit=size + 1
            )
        shown = that_fit(audit_event(row, caller) for row in rows[:size])
        last = rows[len(shown) - 1] if len(rows) > len(shown) else None
        return pb.ListAuditEventsResponse(
            audit_events=shown, next_page_token=pages.token(last.audit_event_id) if last else ""
        )


def audit_event(row: Row, caller: Caller) -> pb.AuditEvent:
    message = pb.AuditEvent(
        organization_id=str(row.organization_id),
        project_id=str(row.project_id or ""),
        target_user_id=str(row.target_user_id or ""),
        invitation_id=str(row.invitation_id or ""),
    )
    return filled(message, row, caller)
