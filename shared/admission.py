"""Who is let in while there is more to do than can be done. Decided before anything else is done for a call.

More calls under way would not be answered sooner, only each of them later. What Python cannot even refuse any
more waits in gRPC, which see `SHARED` of shared/listeners.py.
"""

import itertools
import math
import time
from collections.abc import Callable, Mapping
from random import SystemRandom
from typing import Any

import grpc

from shared.access_rules import INFRASTRUCTURE
from shared.errors import ServiceError, to_status
from shared.log import log
from shared.reasons import Reason

RETRY_AFTER = (0.5, 1.5)  # seconds, from and to: the refused must not come back together
TELL_EVERY = 10.0  # seconds at least between two lines of the log
FEWER = 4  # times fewer calls at once for those that take that much longer than a check


def overloaded() -> ServiceError:
    return ServiceError(Reason.OVERLOADED, retry_after=SystemRandom().uniform(*RETRY_AFTER))


class Crowd:
    """Calls that share a limit. Whoever lets one begin adds it to `under_way`, and takes it away when it ends.

    `refusal` makes what the others are told; a few are made beforehand, that differ in when to try again.
    """

    __slots__ = ("most", "refusals", "refused", "under_way")

    def __init__(self, most: float, refusal: Callable[[], ServiceError] = overloaded) -> None:
        self.most, self.under_way, self.refused = most, 0, 0
        self.refusals = itertools.cycle([_refusal(refusal()) for _ in range(16)])


class Admission:
    """`first` are RPCs with a crowd each, so that nothing else keeps them out, and how many may be under way at a time.

    `crowds` are those of RPCs that share a limit of another kind. Those of `unlimited` have one elsewhere, as streams
    have, or none, as health. All others are one crowd of at most `others`.
    """

    def __init__(
        self,
        first: Mapping[str, int] | None = None,
        *,
        crowds: Mapping[str, Crowd] | None = None,
        unlimited: frozenset[str] = frozenset(),
        others: float = math.inf,
    ) -> None:
        self.first = frozenset(first or {})
        self.others = Crowd(others)
        no_limit = dict.fromkeys([*INFRASTRUCTURE, *unlimited], Crowd(math.inf))
        own = {method: Crowd(most) for method, most in (first or {}).items()}
        self._crowds = no_limit | own | dict(crowds or {})
        self._told, self._told_of = -math.inf, 0

    def crowd(self, method: str) -> Crowd:
        return self._crowds.get(method, self.others)

    def refuse(self, crowd: Crowd) -> "grpc.RpcMethodHandler[Any, Any]":
        """What answers instead, when this crowd is as large as it may be."""
        crowd.refused += 1
        self._tell()
        return next(crowd.refusals)

    @property
    def refused(self) -> int:
        """Calls so far. None of them has a line of its own in the log."""
        return self.others.refused + sum(crowd.refused for crowd in {*self._crowds.values()})

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told >= TELL_EVERY:
            log.warning("overloaded", refused=self.refused - self._told_of)
            self._told, self._told_of = now, self.refused


def _refusal(error: ServiceError) -> "grpc.RpcMethodHandler[Any, Any]":
    """Made once, a stream that does not wait for the request, and set instead of raised: each is a tenth cheaper."""
    status = to_status(error)

    async def refuse(_requests: Any, context: Any) -> None:
        context.set_code(status.code)
        context.set_details(status.details)
        context.set_trailing_metadata(status.trailing_metadata)

    return grpc.stream_stream_rpc_method_handler(refuse)
