"""The hot path: a batch of whole questions, answered by one call to identity and one statement.

"Is this session valid, and what are its roles there?" Every answer is from both databases at that moment.
"""

from typing import NamedTuple
from uuid import UUID

from shared.batcher import Batcher
from shared.caller import Person
from shared.database import Database
from shared.errors import ServiceError
from shared.log import log
from shared.reasons import Reason
from tenancy_service.identity_client import IdentityClient
from tenancy_service.permissions import Access, OrgRole, ProjectRole, access
from tenancy_service.queries.access import Place, Roles, roles_in_places
from tenancy_service.settings import Settings

MOST = 400  # questions; as many tokens of the longest kind still fit into a message to identity
BATCH_TIMEOUT = 2.0  # seconds; identity's share has its own, shorter limit


class Question(NamedTuple):
    """A session, and the place whose roles are asked for; without a place only the session is checked.

    With a `user_id` it is about that user, and the token is not looked at.
    """

    token: str
    organization_id: UUID | None = None
    project_id: UUID | None = None
    user_id: UUID | None = None


class Answer(NamedTuple):
    """About whom, and `person` where a session said who that is."""

    user_id: UUID
    person: Person | None
    access: Access | None


class Checks:
    """Ask one question, to be batched with those of other calls, or many that are a batch already."""

    def __init__(self, identity: IdentityClient, database: Database, settings: Settings) -> None:
        self._identity, self._database = identity, database
        self._batcher: Batcher[Question, Answer] = Batcher(
            self.answer_all,
            batch_failed,
            name="checks",
            timeout=BATCH_TIMEOUT,
            most=MOST,
            gather=settings.gather_seconds,
            gather_most=settings.gather_most_seconds,
            batching=settings.batching,
        )
        self.ask = self._batcher.ask

    async def find_person(self, token: str) -> Person:
        """For the RPCs that need the session before anything else: the first half of the same batch."""
        person = (await self.ask(Question(token))).person
        if person is None:
            raise TypeError("a question without a user_id is answered with a person")
        return person

    async def answer_all(self, questions: list[Question]) -> list[Answer | ServiceError]:
        """One for each question, in order; a token that is not valid spoils nothing."""
        tokens = list(dict.fromkeys(question.token for question in questions if question.user_id is None))
        people = await self._people(tokens) if tokens else {}
        answers: list[Answer | ServiceError] = []
        asked: list[tuple[int, Person | None]] = []
        places: list[Place] = []
        for n, question in enumerate(questions):
            person, user_id = None, question.user_id
            if user_id is None:
                found = people[question.token]
                if isinstance(found, ServiceError):
                    answers.append(found)
                    continue
                person, user_id = found, found.user_id
            answers.append(Answer(user_id, person, None))
            if question.organization_id or question.project_id:
                asked.append((n, person))
                places.append(Place(user_id, question.organization_id, question.project_id))
        if places:
            all_roles = await roles_in_places(self._database, places)
            for (n, person), place, roles in zip(asked, places, all_roles, strict=True):
                answers[n] = Answer(place.user_id, person, _access(place, roles))
        return answers

    async def _people(self, tokens: list[str]) -> dict[str, Person | ServiceError]:
        """Whose sessions these are. Identity away is their error alone: users are asked about without it."""
        try:
            return dict(zip(tokens, await self._identity.people(tokens), strict=True))
        except ServiceError as unavailable:
            return dict.fromkeys(tokens, unavailable)


def _access(place: Place, roles: Roles) -> Access:
    return access(
        OrgRole[roles.organization_role] if roles.organization_role else None,
        ProjectRole[roles.override] if roles.override else None,
        ProjectRole[roles.default_project_role] if roles.default_project_role else ProjectRole.NONE,
        on_project=place.project_id is not None,
    )


def batch_failed(error: BaseException) -> ServiceError:
    """Refuses every caller of a batch that has no answers."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, TimeoutError):
        return ServiceError(Reason.DATABASE_UNAVAILABLE)
    log.error("a batch of checks failed", exc_info=error)
    return ServiceError(Reason.INTERNAL)
