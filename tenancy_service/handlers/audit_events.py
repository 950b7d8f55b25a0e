"""tenancy.v1.AuditService."""

from protos.tenancy.v1 import audit_events_pb2 as pb
from shared.interceptors import Context
from tenancy_service.parts import Handlers


class Audit(Handlers):
    async def ListAuditEvents(self, request: pb.ListAuditEventsRequest, context: Context) -> pb.ListAuditEventsResponse:
        raise NotImplementedError
