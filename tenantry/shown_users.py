"""Accounts as the command line takes and shows them: by email or id, as one line, as facts, as JSON."""

from collections.abc import Iterable

from protos.identity.v1 import users_pb2 as pb
from tenantry.client import Ask, CallFailed
from tenantry.failures import REFUSED, Failure
from tenantry.shown_messages import is_uuid, metadata, time, word

USERS = "identity.v1.UserService"
MOST_AT_ONCE = 1000
COLUMNS = ("email", "user_id", "display_name", "state", "created")


def find(ask: Ask, who: str, *instead: str) -> pb.User:
    """The account with an email address or an id; `instead` are more lines of what to do if there is none."""
    try:
        if is_uuid(who):
            by_id = pb.GetUserRequest(user_id=who)
            return ask(f"{USERS}/GetUser", by_id, pb.GetUserResponse).user
        by_email = pb.LookUpUserRequest(email=who)
        return ask(f"{USERS}/LookUpUser", by_email, pb.LookUpUserResponse).user
    except CallFailed as failed:
        if failed.reason != "USER_NOT_FOUND":
            raise
        raise not_found(who, *instead) from None


def not_found(who: str, *instead: str) -> Failure:
    if is_uuid(who):
        return Failure(f"no user has the id {who}   USER_NOT_FOUND", REFUSED, "all of them:  tenantry users list")
    hints = (f"create them:  tenantry users create {who}", *instead)
    return Failure(f"no user has the email {who}   USER_NOT_FOUND", REFUSED, "\n".join(hints))


def emails(ask: Ask, user_ids: Iterable[str]) -> dict[str, str]:
    """By id, of those whom identity still has."""
    wanted = sorted({user_id for user_id in user_ids if user_id})
    found: dict[str, str] = {}
    for start in range(0, len(wanted), MOST_AT_ONCE):
        request = pb.BatchGetUsersRequest(user_ids=wanted[start : start + MOST_AT_ONCE])
        answer = ask(f"{USERS}/BatchGetUsers", request, pb.BatchGetUsersResponse)
        found |= {user.user_id: user.email for user in answer.users}
    return found


def row(user: pb.User) -> tuple[str, ...]:
    """In the order of COLUMNS."""
    return (user.email, user.user_id, user.display_name, word(user, "state"), time(user.create_time))


def facts(user: pb.User) -> dict[str, str]:
    told = {
        "email": user.email,
        "verified": time(user.email_verified_time) or "no",
        "user_id": user.user_id,
        "external_id": user.external_id,
        "display_name": user.display_name,
        "state": word(user, "state"),
        "second_factor": "yes" if user.has_second_factor else "no",
        "created": time(user.create_time),
        "updated": time(user.update_time),
        "deleted": time(user.delete_time),
        "gone_for_good": time(user.purge_time),
        "public_metadata": metadata(user.public_metadata),
        "private_metadata": metadata(user.private_metadata),
    }
    return {name: value for name, value in told.items() if value}
