"""What stands around every RPC, unary or streaming: log, errors to status, authentication, decoding, deadline."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, TypeAlias

import grpc

from shared.access_rules import Policy
from shared.admission import Admission
from shared.authentication import Authentication
from shared.call import CALLS, Method, UnderWay, decoded, decoded_each
from shared.call_metrics import UNKNOWN, Measured
from shared.errors import ServiceError, to_status
from shared.reasons import Reason
from shared.turns import Turns

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Guard(grpc.GenericRpcHandler):
    """Between gRPC and every handler, so that no kind of RPC can slip past a part of it.

    The generated functions add their handlers to it as they would to a server. As an interceptor it would cost
    every call four more coroutines.

    `hot` are unary RPCs called so often that a log line for each would cost more than the answer, and that need
    no timer of their own: whatever they wait for has one (shared/batcher.py). The other unary ones take turns.
    """

    def __init__(
        self,
        policy: Policy,
        authentication: Authentication,
        hot: frozenset[str] = frozenset(),
        admission: Admission | None = None,
    ) -> None:
        self._policy = policy
        self.authentication = authentication
        self.admission = admission or Admission()
        self._hot = hot
        self._methods: dict[str, Method] = {}
        self.under_way = UnderWay()
        self._turns = Turns()

    async def calls_over(self, seconds: float, *, but_streams: bool = False) -> None:
        """Wait until no handler runs: gRPC cancels them when it stops, but does not wait for their ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:  # looked at again and again, as an Event would cost every call
            if self.under_way.calls <= (self.under_way.streams if but_streams else 0):
                return
            await asyncio.sleep(0.005)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """One without a row in the policy stays unknown."""
        for name, handler in handlers.items():
            if (method := f"{service}/{name}") in self._policy:
                self._methods[f"/{method}"] = self._method(method, handler)

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """The same once more: they call both."""

    def join(self, server: grpc.aio.Server, own_queues: Iterable[str] = ()) -> None:
        """What was added is served by it.

        Methods with a queue of their own in gRPC wait for no other, and make every call a little dearer.
        """
        server.add_generic_rpc_handlers((self,))
        for method in own_queues:
            service, _, name = method.partition("/")
            # Nobody in particular: gRPC then asks `service`.
            server.add_registered_method_handlers(service, {name: None})  # type: ignore[dict-item]

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """For each call, before its request is read."""
        method = self._methods.get(handler_call_details.method)
        if method is None:
            return UNKNOWN_METHOD
        if method.crowd.under_way >= method.crowd.most:
            return self.admission.refuse(method.crowd)
        return method.call(method, handler_call_details.invocation_metadata)

    def _method(self, name: str, handler: Handler) -> Method:
        kind = (handler.request_streaming, handler.response_streaming)
        behaviour = {
            (False, False): handler.unary_unary,
            (False, True): handler.unary_stream,
            (True, False): handler.stream_unary,
            (True, True): handler.stream_stream,
        }[kind]
        return Method(
            name,
            self._policy[name],
            self.authentication,
            hot=name in self._hot,
            crowd=self.admission.crowd(name),
            under_way=self.under_way,
            turns=self._turns,
            measured=Measured(name, is_stream=handler.response_streaming),
            behaviour=behaviour,
            decode=partial(decoded_each if handler.request_streaming else decoded, handler.request_deserializer),
            serialize=handler.response_serializer,
            call=CALLS[kind],
        )


async def _refuse_unknown(_requests: Any, context: Any) -> None:
    """As a stream: one that reads a first message would wait for ever for a caller who sends none."""
    UNKNOWN.ended(Reason.METHOD_UNKNOWN.value.code.name, 0.0, Reason.METHOD_UNKNOWN.name)
    await context.abort_with_status(to_status(ServiceError(Reason.METHOD_UNKNOWN)))


UNKNOWN_METHOD: Handler = grpc.stream_stream_rpc_method_handler(_refuse_unknown)
