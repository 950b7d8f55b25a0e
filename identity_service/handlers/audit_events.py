"""identity.v1.AuditService."""

from identity_service.parts import Handlers
from protos.identity.v1 import audit_events_pb2 as pb
from protos.identity.v1.audit_events_pb2_grpc import AuditServiceServicer
from shared.interceptors import Context


class AuditEvents(Handlers, AuditServiceServicer):
    async def ListAuditEvents(self, request: pb.ListAuditEventsRequest, context: Context) -> pb.ListAuditEventsResponse:
        raise NotImplementedError
