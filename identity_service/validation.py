"""From tokens to sessions: the one place that says whether a session is valid now."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from identity_service import tokens
from identity_service.queries import validation as queries
from identity_service.queries.validation import Owner, ValidSession
from identity_service.settings import Settings
from identity_service.touches import Touches
from shared.batcher import Batcher
from shared.caller import Person
from shared.database import Database
from shared.errors import ServiceError
from shared.log import log
from shared.reasons import Reason

TIMEOUT = 1.0  # seconds for a batch

ListValid = Callable[..., Coroutine[Any, Any, "list[Owner] | list[ValidSession]"]]  # of queries.validation


class Validation:
    """No answer is older than its question, and none is kept."""

    def __init__(self, database: Database, touches: Touches, settings: Settings) -> None:
        self._database = database
        self._touches = touches
        self._secrets = settings.secret_bytes
        self._batcher: Batcher[str, ValidSession] = Batcher(
            partial(self._answers, queries.list_valid_sessions),
            failure,
            name="sessions",
            timeout=TIMEOUT,
            gather=settings.gather_seconds,
            gather_most=settings.gather_most_seconds,
            batching=settings.batching,
        )
        # Here one question is a whole batch, which waits for no other.
        self._batches: Batcher[tuple[ListValid, Sequence[str]], list[Any]] = Batcher(
            self._answer_batches, failure, name="session_batches", timeout=TIMEOUT, batching=False
        )

    async def session(self, token: str) -> ValidSession:
        """Asked together with other callers' questions. SESSION_INVALID for whatever is wrong with it."""
        return await self._batcher.ask(token)

    async def person(self, token: str) -> Person:
        """Who has signed in with it, for the authentication of our own RPCs."""
        session = await self.session(token)
        return Person(UUID(session.user_id), UUID(session.session_id))

    async def sessions(self, questions: Sequence[str]) -> list[ValidSession | ServiceError]:
        """For a call that is a batch already: a session or SESSION_INVALID for each token, in order."""
        return await self._batches.ask((queries.list_valid_sessions, questions))

    async def owners(self, questions: Sequence[str]) -> list[Owner | ServiceError]:
        """The same without the sessions' details."""
        return await self._batches.ask((queries.list_owners, questions))

    async def _answer_batches(self, batches: Sequence[tuple[ListValid, Sequence[str]]]) -> list[list[Any]]:
        return [await self._answers(*batch) for batch in batches]

    async def _answers(self, list_valid: ListValid, questions: Sequence[str]) -> list[Any]:
        sids = [tokens.read(token, self._secrets) for token in questions]
        signed = [sid for sid in sids if sid is not None]
        found: dict[str | None, Owner | ValidSession] = {}
        if signed:
            rows = await list_valid(self._database, sids=signed, touch_every=self._touches.every)
            self._touches.note([signed[row.place - 1] for row in rows if row.is_touch_due])
            found = {signed[row.place - 1]: row for row in rows}
        return [found.get(sid) or ServiceError(Reason.SESSION_INVALID) for sid in sids]  # one each: they are raised


def failure(error: BaseException) -> ServiceError:
    """What everybody in a batch is told that failed as a whole."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, TimeoutError | asyncio.CancelledError):
        return ServiceError(Reason.DATABASE_UNAVAILABLE)
    log.error("unexpected error while validating sessions", exc_info=error)
    return ServiceError(Reason.INTERNAL)
