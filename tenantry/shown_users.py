"""Accounts as the command line takes and shows them: by email or id, as one line, as facts, as JSON."""

import uuid
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from protos.identity.v1 import users_pb2 as pb
from tenantry.client import Ask, CallFailed
from tenantry.failures import REFUSED, Failure

USERS = "identity.v1.UserService"
COLUMNS = ("email", "user_id", "display_name", "state", "created")


def find(ask: Ask, who: str) -> pb.User:
    """The account with an email address or an id."""
    try:
        if is_uuid(who):
            by_id = pb.GetUserRequest(user_id=who)
            return ask(f"{USERS}/GetUser", by_id, pb.GetUserResponse).user
        by_email = pb.LookUpUserRequest(email=who)
        return ask(f"{USERS}/LookUpUser", by_email, pb.LookUpUserResponse).user
    except CallFailed as failed:
        if failed.reason != "USER_NOT_FOUND":
            raise
        raise not_found(who) from None


def not_found(who: str) -> Failure:
    if is_uuid(who):
        return Failure(f"no user has the id {who}   USER_NOT_FOUND", REFUSED, "all of them:  tenantry users list")
    hint = f"create them:  tenantry users create {who}"
    return Failure(f"no user has the email {who}   USER_NOT_FOUND", REFUSED, hint)


def is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def state(user: pb.User) -> str:
    return pb.UserState.Name(user.state).removeprefix("USER_STATE_")


def row(user: pb.User) -> tuple[str, ...]:
    """In the order of COLUMNS."""
    return (user.email, user.user_id, user.display_name, state(user), time(user.create_time))


def time(stamp: Timestamp) -> str:
    """To the second, in UTC."""
    return f"{stamp.ToDatetime():%Y-%m-%dT%H:%M:%SZ}" if stamp.seconds else ""


def as_json(user: pb.User) -> dict[str, Any]:
    return {**message_as_json(user), "state": state(user)}


def message_as_json(message: Message) -> dict[str, Any]:
    """With the field names of the contract, and with the fields that are empty."""
    found: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return found


def facts(user: pb.User) -> dict[str, str]:
    told = {
        "email": user.email,
        "verified": time(user.email_verified_time) or "no",
        "user_id": user.user_id,
        "external_id": user.external_id,
        "display_name": user.display_name,
        "state": state(user),
        "second_factor": "yes" if user.has_second_factor else "no",
        "created": time(user.create_time),
        "updated": time(user.update_time),
        "deleted": time(user.delete_time),
        "gone_for_good": time(user.purge_time),
        "public_metadata": _metadata(user.public_metadata),
        "private_metadata": _metadata(user.private_metadata),
    }
    return {name: value for name, value in told.items() if value}


def _metadata(struct: Message) -> str:
    import json

    held = MessageToDict(struct)
    return json.dumps(held) if held else ""
