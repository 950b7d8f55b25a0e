"""From tokens to sessions: the one place that says whether a session is valid now."""

import asyncio
from collections.abc import Sequence

from identity_service import tokens
from identity_service.queries import validation as queries
from identity_service.queries.validation import ValidSession
from identity_service.settings import Settings
from identity_service.touches import Touches
from shared.batcher import Batcher
from shared.caller import Person
from shared.database import Database
from shared.errors import ServiceError
from shared.log import log
from shared.reasons import Reason

TIMEOUT = 1.0  # seconds for a batch

Answer = ValidSession | ServiceError


class Validation:
    """No answer is older than its question, and none is kept."""

    def __init__(self, database: Database, touches: Touches, settings: Settings) -> None:
        self._database = database
        self._touches = touches
        self._secrets = settings.secret_bytes
        self._batcher: Batcher[str, ValidSession] = Batcher(
            self._answers,
            failure,
            name="sessions",
            timeout=TIMEOUT,
            gather=settings.gather_seconds,
            gather_most=settings.gather_most_seconds,
            batching=settings.batching,
        )
        # Here one question is a whole batch, which waits for no other.
        self._batches: Batcher[Sequence[str], list[Answer]] = Batcher(
            self._answer_batches, failure, name="session_batches", timeout=TIMEOUT, batching=False
        )

    async def session(self, token: str) -> ValidSession:
        """Asked together with other callers' questions. SESSION_INVALID for whatever is wrong with it."""
        return await self._batcher.ask(token)

    async def person(self, token: str) -> Person:
        """Who has signed in with it, for the authentication of our own RPCs."""
        session = await self.session(token)
        return Person(session.user_id, session.session_id)

    async def sessions(self, questions: Sequence[str]) -> list[Answer]:
        """For a call that is a batch already: a session or SESSION_INVALID for each token, in order."""
        return await self._batches.ask(questions)

    async def _answer_batches(self, batches: list[Sequence[str]]) -> list[list[Answer]]:
        return [await self._answers(questions) for questions in batches]

    async def _answers(self, questions: Sequence[str]) -> list[Answer]:
        sids = [tokens.read(token, self._secrets) for token in questions]
        signed = [sid for sid in sids if sid is not None]
        found = await self._found(signed) if signed else {}
        return [
            found.get(sid or "") or ServiceError(Reason.SESSION_INVALID)  # one each: errors are raised
            for sid in sids
        ]

    async def _found(self, sids: Sequence[str]) -> dict[str, ValidSession]:
        rows = await queries.list_valid_sessions(self._database, sids=sids, touch_every=self._touches.every)
        self._touches.note(sids[row.place - 1] for row in rows if row.is_touch_due)
        return {sids[row.place - 1]: row for row in rows}


def failure(error: BaseException) -> ServiceError:
    """What everybody in a batch is told that failed as a whole."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, TimeoutError | asyncio.CancelledError):
        return ServiceError(Reason.DATABASE_UNAVAILABLE)
    log.error("unexpected error while validating sessions", exc_info=error)
    return ServiceError(Reason.INTERNAL)
