"""Who is calling, for one RPC."""

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from shared.errors import ServiceError
from shared.reasons import Reason


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person: whose session, and which one (its public id)."""

    user_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, a service, both, or neither on a public RPC.

    `token` is the session token as sent; where the RPC's row leaves the session to the handler it has not
    been checked yet, and `person` is None.
    """

    person: Person | None = None
    service: str | None = None
    token: str | None = None

    @property
    def signed_in(self) -> Person:
        """The person; the access policy has seen to it that there is one."""
        if self.person is None:
            raise ServiceError(Reason.SESSION_REQUIRED)
        return self.person

    @property
    def user_id(self) -> UUID:
        return self.signed_in.user_id

    def is_user(self, user_id: UUID) -> bool:
        """Whether this person is calling; a service without a person is nobody."""
        return self.person is not None and self.person.user_id == user_id


ANONYMOUS = Caller()
_caller: ContextVar[Caller] = ContextVar("caller", default=ANONYMOUS)

current_caller = _caller.get
set_caller = _caller.set
