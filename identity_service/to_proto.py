"""Rows to messages."""

from collections.abc import Iterable

from identity_service.queries.sessions import BegunSession
from identity_service.queries.validation import Owner, ValidSession
from protos.identity.v1 import sessions_pb2, users_pb2
from shared.caller import Caller
from shared.database import Row
from shared.errors import ServiceError
from shared.timestamps import optional_timestamp, timestamp

STATES = {
    "DELETED": users_pb2.USER_STATE_DELETED,
    "ACTIVE": users_pb2.USER_STATE_ACTIVE,
    "SUSPENDED": users_pb2.USER_STATE_SUSPENDED,
}


def session(row: Row | BegunSession | ValidSession) -> sessions_pb2.Session:
    return sessions_pb2.Session(
        session_id=str(row.session_id),
        user_id=str(row.user_id),
        create_time=timestamp(row.created_at),
        expire_time=timestamp(row.expire),
        last_seen_time=timestamp(row.last_seen_at),
        auth_time=timestamp(row.auth_time),
        ip=row.ip or "",
        user_agent=row.user_agent or "",
        amr=row.amr,
        device_name=row.device_name or "",
    )


def session_result(answer: ValidSession | ServiceError) -> sessions_pb2.SessionResult:
    if isinstance(answer, ServiceError):
        return sessions_pb2.SessionResult(error_reason=answer.reason.name)
    return sessions_pb2.SessionResult(session=session(answer))


def owner_results(answers: Iterable[Owner | ServiceError]) -> sessions_pb2.BatchValidateSessionsResponse:
    """For SESSION_VIEW_BASIC. Filled in place: messages made apart and copied would cost four times as much."""
    response = sessions_pb2.BatchValidateSessionsResponse()
    add = response.results.add
    for answer in answers:
        if isinstance(answer, ServiceError):
            add(error_reason=answer.reason.name)
        else:
            session = add().session
            session.session_id = answer.session_id
            session.user_id = answer.user_id
    return response


def user(row: Row, caller: Caller) -> users_pb2.User:
    """As the caller may see it: private metadata is for services that call without a person."""
    message = public_user(row)
    if caller.person is None and caller.service is not None and row.private_metadata:
        message.private_metadata.update(row.private_metadata)
    return message


def public_user(row: Row) -> users_pb2.User:
    message = users_pb2.User(
        user_id=str(row.user_id),
        email=row.email,
        display_name=row.display_name,
        state=STATES[row.state],
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag(row),
        external_id=row.external_id or "",
        has_second_factor=row.has_second_factor,
        email_verified_time=optional_timestamp(row.email_verified_time),
        delete_time=optional_timestamp(row.delete_time),
        purge_time=optional_timestamp(row.purge_time),
    )
    if row.public_metadata:
        message.public_metadata.update(row.public_metadata)
    return message


def etag(row: Row) -> str:
    return str(row.version)
