"""Whose account or sessions a call is about."""

from datetime import timedelta
from uuid import UUID

from identity_service.queries import sessions
from shared.caller import Caller
from shared.database import Tx
from shared.errors import ServiceError
from shared.reasons import Reason


def subject(caller: Caller, user_id: UUID | None, field: str = "user_id") -> UUID:
    """A person acts for themselves, a service for whom it names.

    A call with both is the person's: a gateway that adds its key to every call must not lend it to them.
    """
    if caller.person is not None:
        if user_id not in (None, caller.user_id):
            raise ServiceError(Reason.PERMISSION_DENIED)
        return caller.user_id
    if user_id is None:
        raise ServiceError(Reason.BAD_REQUEST, fields=((field, "a service names the user"),))
    return user_id


def absent(caller: Caller) -> ServiceError:
    """The user is not there. People must not learn which ids exist."""
    return ServiceError(Reason.PERMISSION_DENIED if caller.person else Reason.USER_NOT_FOUND)


async def recently(tx: Tx, caller: Caller, within: timedelta) -> None:
    """REAUTHENTICATION_REQUIRED unless the person signed in not longer ago (ASVS 7.5.1). Services need not."""
    person = caller.person
    if person is not None and not await sessions.get_recent(
        tx, user_id=person.user_id, session_id=person.session_id, within=within
    ):
        raise ServiceError(Reason.REAUTHENTICATION_REQUIRED)
