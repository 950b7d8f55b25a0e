"""tenancy.v1.EventService."""

from collections.abc import AsyncIterator

from protos.tenancy.v1 import events_pb2 as pb
from shared.interceptors import Context
from tenancy_service.parts import Handlers


class EventStream(Handlers):
    def StreamEvents(self, request: pb.StreamEventsRequest, context: Context) -> AsyncIterator[pb.StreamEventsResponse]:
        raise NotImplementedError
