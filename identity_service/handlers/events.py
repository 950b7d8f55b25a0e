"""identity.v1.EventService."""

from collections.abc import AsyncIterator

from identity_service.parts import Handlers
from protos.identity.v1 import events_pb2 as pb
from protos.identity.v1.events_pb2_grpc import EventServiceServicer
from shared.interceptors import Context


class Events(Handlers, EventServiceServicer):
    async def StreamEvents(
        self, request: pb.StreamEventsRequest, context: Context
    ) -> AsyncIterator[pb.StreamEventsResponse]:
        raise NotImplementedError
        yield
