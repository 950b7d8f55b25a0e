"""The hot path: a batch of whole questions, answered by one call to identity and one statement beside it.

"Is this session valid, and what are its roles there?" Every answer is from both databases at that moment.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from shared.batcher import Batcher
from shared.caller import Person
from shared.database import Database
from shared.errors import ServiceError
from shared.log import log
from shared.reasons import Reason
from tenancy_service.identity_client import IdentityClient, Session
from tenancy_service.permissions import Access, OrgRole, ProjectRole, access
from tenancy_service.queries.access import Place, Roles, roles_in_places
from tenancy_service.settings import Settings

MOST = 400  # questions; as many tokens of the longest kind still fit into a message to identity
MOST_BATCHES = 4  # of callers, under way at a time
MOST_OWNERS = 10_000  # some 2 MB
BATCH_TIMEOUT = 2.0  # seconds; identity's share has its own, shorter limit


class Question(NamedTuple):
    """A session, and the place whose roles are asked for; without a place only the session is checked.

    With a `user_id` it is about that user, and the token is not looked at. Ids are UUIDs as text, in lower case.
    """

    token: str
    organization_id: str | None = None
    project_id: str | None = None
    user_id: str | None = None


class Answer(NamedTuple):
    """About whom, and which session said so, if one did."""

    user_id: str
    session_id: str | None
    access: Access | None


class Owners:
    """Whose sessions were when they were last asked about: a guess of where to look, never an answer.

    Of tokens only a hash is kept; where two have the same the guess is wrong, which costs a look and no more.
    """

    def __init__(self) -> None:
        self._by_hash: dict[int, str] = {}

    def guess(self, questions: list[Question]) -> list[str | None]:
        get = self._by_hash.get
        return [get(hash(token)) if user_id is None else user_id for token, _, _, user_id in questions]

    def note(self, sessions: Mapping[str, Session | ServiceError]) -> None:
        for token, session in sessions.items():
            if not isinstance(session, ServiceError):
                self._by_hash[hash(token)] = session[0]
        while len(self._by_hash) > MOST_OWNERS:
            del self._by_hash[next(iter(self._by_hash))]


class Checks:
    """Ask one question, to be batched with those of other calls, or many that are a batch already."""

    def __init__(self, identity: IdentityClient, database: Database, settings: Settings) -> None:
        self._identity, self._database = identity, database
        self._owners = Owners()
        gathering: dict[str, Any] = {
            "most": MOST,
            "gather": settings.gather_seconds,
            "gather_most": settings.gather_most_seconds,
            "batching": settings.batching,
        }
        self._batcher: Batcher[Question, Answer] = Batcher(
            self._answer_all, batch_failed, name="checks", timeout=BATCH_TIMEOUT, **gathering
        )
        # Here one question is a whole batch, which waits for no other.
        self._batches: Batcher[list[Question], list[Answer | ServiceError]] = Batcher(
            self._answer_batches, batch_failed, name="check_batches", timeout=BATCH_TIMEOUT, batching=False
        )
        # But for whose session it is: most are about one, and a trip to identity costs as much as fifty checks.
        self._sessions_of_batches: Batcher[str, Session] = Batcher(
            identity.sessions, batch_failed, name="sessions_of_batches", timeout=BATCH_TIMEOUT, **gathering
        )
        # More would be done no sooner, but fill identity and the connections, which single questions need too.
        self._batches_under_way = asyncio.Semaphore(MOST_BATCHES)
        self.ask = self._batcher.ask

    async def ask_all(self, questions: list[Question]) -> list[Answer | ServiceError]:
        """One for each, in order."""
        async with self._batches_under_way:
            return await self._batches.ask(questions)

    async def find_person(self, token: str) -> Person:
        """For the RPCs that need the session before anything else: the first half of the same batch."""
        answer = await self.ask(Question(token))
        return Person(UUID(answer.user_id), UUID(answer.session_id))

    async def _answer_batches(self, batches: list[list[Question]]) -> list[list[Answer | ServiceError]]:
        return [await self._answer_all(batch, gathers=True) for batch in batches]

    async def _answer_all(self, questions: list[Question], *, gathers: bool = False) -> list[Answer | ServiceError]:
        """One for each question, in order; a token that is not valid spoils nothing.

        `gathers`: where there is one session, identity may be asked about it together with those of others.
        """
        tokens = list(dict.fromkeys([question.token for question in questions if question.user_id is None]))
        guesses = self._owners.guess(questions)
        ahead = places_of(guesses, questions)
        reading = asyncio.create_task(self._read_ahead(ahead)) if tokens and any(ahead) else None
        try:
            sessions = await self._sessions(tokens, gathers=gathers) if tokens else {}
            roles = await reading if reading else None
        finally:
            if reading:
                reading.cancel()  # where we are cancelled ourselves; otherwise it has ended
        self._owners.note(sessions)
        found = [sessions[token] if user_id is None else (user_id, None) for token, _, _, user_id in questions]
        owners = [None if isinstance(session, ServiceError) else session[0] for session in found]
        if roles is None:
            roles = await self._roles(places_of(owners, questions))
        elif owners != guesses:
            others = [None if owner == guess else owner for owner, guess in zip(owners, guesses, strict=True)]
            read = await self._roles(places_of(others, questions))
            roles = [old if other is None else new for old, new, other in zip(roles, read, others, strict=True)]
        return [
            session
            if isinstance(session, ServiceError)
            else Answer(session[0], session[1], each and access_by(each, on_project=question.project_id is not None))
            for session, each, question in zip(found, roles, questions, strict=True)
        ]

    async def _read_ahead(self, places: "list[Place | None]") -> "list[Roles | None] | None":
        """While identity is asked whose the sessions are now, so that the two do not wait for each other.

        Roles of those whose they were; whoever it was wrong about is read once more, and everybody if it failed.
        """
        await asyncio.sleep(0)  # identity, whose answer takes longer, is asked first
        try:
            return await self._roles(places)
        except ServiceError:
            return None

    async def _roles(self, places: "list[Place | None]") -> "list[Roles | None]":
        """One for each place, in one statement, if there is any."""
        asked = [place for place in places if place is not None]
        found = iter(await roles_in_places(self._database, asked) if asked else ())
        return [place and next(found) for place in places]

    async def _sessions(self, tokens: list[str], *, gathers: bool) -> dict[str, Session | ServiceError]:
        """Whose they are. Identity away is their error alone: users are asked about without it."""
        try:
            if gathers and len(tokens) == 1:
                return {tokens[0]: await self._sessions_of_batches.ask(tokens[0])}
            return dict(zip(tokens, await self._identity.sessions(tokens), strict=True))
        except ServiceError as refusal:
            return dict.fromkeys(tokens, refusal)


@cache  # there are but a hundred combinations of roles
def access_by(roles: Roles, *, on_project: bool) -> Access:
    """What the stored names of roles amount to."""
    organization_role, override, default_project_role = roles
    return access(
        OrgRole[organization_role] if organization_role else None,
        ProjectRole[override] if override else None,
        ProjectRole[default_project_role] if default_project_role else ProjectRole.NONE,
        on_project=on_project,
    )


def places_of(user_ids: Sequence[str | None], questions: Sequence[Question]) -> list[Place | None]:
    """None for who is nobody, and where no place is asked about."""
    return [
        (user_id, organization_id, project_id) if user_id and (organization_id or project_id) else None
        for user_id, (_, organization_id, project_id, _) in zip(user_ids, questions, strict=True)
    ]


def batch_failed(error: BaseException) -> ServiceError:
    """Refuses every caller of a batch that has no answers."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, TimeoutError):
        return ServiceError(Reason.DATABASE_UNAVAILABLE)
    log.error("a batch of checks failed", exc_info=error)
    return ServiceError(Reason.INTERNAL)
