"""What the changes of accounts have in common: the locked row, and that nobody stays signed in."""

from uuid import UUID

from identity_service import authorize, publish, to_proto
from identity_service.queries import one_time_tokens, sessions, users
from shared.caller import Caller
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.reasons import Reason


async def lock(tx: Tx, caller: Caller, user_id: UUID) -> Row:
    """The account until the transaction ends. One that is deleted is not there, nor for its owner one suspended."""
    row = await users.lock_user(tx, user_id=user_id)
    states = ("ACTIVE",) if caller.person else ("ACTIVE", "SUSPENDED")
    if row is None or row.state not in states:
        raise authorize.absent(caller)
    return row


def check_etag(row: Row, etag: str | None) -> None:
    """Only who has read the account as it is now changes it; without an etag anybody (AIP-154)."""
    if etag is not None and etag != to_proto.etag(row):
        raise ServiceError(Reason.ETAG_MISMATCH)


async def sign_out_everywhere(tx: Tx, user_id: UUID) -> int:
    """All sessions end, and what was mailed or begun opens nothing any more. How many sessions were valid."""
    ended = await sessions.delete_sessions(tx, user_id=user_id)
    await one_time_tokens.delete_one_time_tokens(tx, user_id=user_id)
    await publish.sessions_changed(tx, "SESSION_ENDED", user_id, ended)
    return len(ended)
