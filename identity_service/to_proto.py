"""Rows to messages."""

from identity_service.queries.validation import ValidSession
from protos.identity.v1 import sessions_pb2, users_pb2
from shared.database import Row
from shared.errors import ServiceError
from shared.timestamps import timestamp

STATES = {
    "ACTIVE": users_pb2.USER_STATE_ACTIVE,
    "SUSPENDED": users_pb2.USER_STATE_SUSPENDED,
}


def session(row: Row | ValidSession) -> sessions_pb2.Session:
    return sessions_pb2.Session(
        session_id=str(row.session_id),
        user_id=str(row.user_id),
        create_time=timestamp(row.created_at),
        expire_time=timestamp(row.expire),
        last_seen_time=timestamp(row.last_seen_at),
        auth_time=timestamp(row.auth_time),
        ip=row.ip or "",
        user_agent=row.user_agent or "",
    )


def session_result(answer: ValidSession | ServiceError) -> sessions_pb2.SessionResult:
    if isinstance(answer, ServiceError):
        return sessions_pb2.SessionResult(error_reason=answer.reason.name)
    return sessions_pb2.SessionResult(session=session(answer))


def user(row: Row) -> users_pb2.User:
    return users_pb2.User(
        user_id=str(row.user_id),
        email=row.email,
        display_name=row.display_name,
        state=STATES[row.state],
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag(row),
    )


def etag(row: Row) -> str:
    return str(row.version)
