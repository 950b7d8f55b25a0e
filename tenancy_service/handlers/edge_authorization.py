"""envoy.service.auth.v3.Authorization: Envoy asks about every request to an API that it stands before."""

import time

from protos.extauthz.v1 import external_auth_pb2 as pb
from shared.call import Context
from shared.errors import ServiceError
from shared.log import log
from shared.reasons import Reason
from tenancy_service import edge_answer
from tenancy_service.edge_request import Request, Route, RouteError, read_question, read_route
from tenancy_service.parts import Handlers, Parts
from tenancy_service.permissions import is_allowed

TELL_AGAIN = 600.0  # seconds until the same mistake of a route has a line in the log again
MOST_TOLD = 100  # lines in that time
SHOWN = 100  # characters of each value in the log


class EdgeAuthorization(Handlers):
    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._told: set[str] = set()
        self._told_since = time.monotonic()

    async def Check(self, request: pb.CheckRequest, context: Context) -> pb.CheckResponse:
        http = request.attributes.request.http
        headers = http.headers
        try:
            route = self._route(request.attributes)
            return await self._decide(route, Request(http.path, headers))
        except ServiceError as refusal:
            if refusal.code not in edge_answer.HTTP:  # identity or the database is away: no answer, so no way through
                raise
            return edge_answer.denied(refusal, in_grpc=edge_answer.is_grpc(headers))

    async def _decide(self, route: Route, request: Request) -> pb.CheckResponse:
        """By the same batch as CheckAccess."""
        cookie_name = self.parts.settings.session_cookie_name
        answer = await self.parts.checks.ask(read_question(route, request, cookie_name))
        if route.least is not None and not (answer.access and is_allowed(route.least, answer.access)):
            raise ServiceError(Reason.PERMISSION_DENIED)
        return edge_answer.allowed(answer, request.headers, cookie_name if route.removes_credential else None)

    def _route(self, attributes: pb.AttributeContext) -> Route:
        """A mistake in Envoy's configuration is told to its operator alone, and nothing passes."""
        try:
            return read_route(attributes.context_extensions, self.parts.settings.permissions)
        except RouteError as mistake:
            self._tell(str(mistake), attributes)
            raise ServiceError(Reason.ROUTE_MISCONFIGURED) from None

    def _tell(self, mistake: str, attributes: pb.AttributeContext) -> None:
        """Once in a while each; without the path, which may hold what is not for a log."""
        now = time.monotonic()
        if now - self._told_since >= TELL_AGAIN:
            self._told.clear()
            self._told_since = now
        extensions = {key[:SHOWN]: value[:SHOWN] for key, value in sorted(attributes.context_extensions.items())}
        which = f"{mistake} {extensions}"
        if which in self._told or len(self._told) >= MOST_TOLD:
            return
        self._told.add(which)
        http = attributes.request.http
        log.warning(
            "a route of the gateway is set up wrongly: all its requests are refused",
            mistake=mistake[: 2 * SHOWN],
            route=extensions,
            method=http.method[:SHOWN],
            host=http.host[:SHOWN],
        )
