"""Whose account or sessions a call is about."""

from uuid import UUID

from shared.caller import Caller
from shared.errors import ServiceError
from shared.reasons import Reason


def subject(caller: Caller, user_id: UUID | None, field: str = "user_id") -> UUID:
    """A person acts for themselves, a service for whom it names."""
    if user_id is None and caller.person is None:
        raise ServiceError(Reason.BAD_REQUEST, fields=((field, "a service names the user"),))
    if user_id is None:
        return caller.user_id
    if caller.service is None and user_id != caller.user_id:
        raise ServiceError(Reason.PERMISSION_DENIED)
    return user_id


def absent(caller: Caller) -> ServiceError:
    """The user is not there. People must not learn which ids exist."""
    return ServiceError(Reason.USER_NOT_FOUND if caller.service else Reason.PERMISSION_DENIED)
