"""Use up the token of a mail: whose it is, locked, so that nothing it would open changes meanwhile."""

from identity_service.queries import one_time_tokens, users
from shared.database import Row, Tx
from shared.errors import ServiceError
from shared.fields import email_key
from shared.reasons import Reason


async def use_token(tx: Tx, token_hash: bytes, purposes: tuple[str, ...]) -> tuple[Row, Row]:
    """The token, used, and its user.

    TOKEN_INVALID, with nothing said about why: there is no such token, it is too old or used, or the account is
    suspended or deleted.
    """
    token = await one_time_tokens.get_token_by_hash(tx, token_hash=token_hash, purposes=purposes)
    if token is None:
        raise ServiceError(Reason.TOKEN_INVALID)
    # The user first: who ends all tokens of a user has the user's lock and waits for the tokens'.
    user = await users.lock_user(tx, user_id=token.user_id)
    used = await one_time_tokens.delete_one_time_token(tx, token_hash=token_hash, purposes=purposes)
    if used is None or user is None or user.state != "ACTIVE":
        raise ServiceError(Reason.TOKEN_INVALID)
    return used, user


def is_of_address(token: Row, user: Row) -> bool:
    """Whether the mail went to the address that the account has now: one under way while it changed did not."""
    return token.email is not None and email_key(token.email) == user.email_key
