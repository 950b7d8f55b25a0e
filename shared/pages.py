"""Page tokens: the last key of a page, bound to who asked for what (AIP-158).

A token is no secret and grants nothing: every page is authorized anew. The digest only refuses a token
that is used with other arguments, by another caller, or damaged.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message

from shared.caller import Caller
from shared.errors import ServiceError
from shared.reasons import Reason

DIGEST = 12
MAX_BYTES = 2 * 1024 * 1024  # gRPC clients take messages of up to 4 MiB

Item = TypeVar("Item", bound=Message)


class Pages:
    """One list RPC as one caller calls it: reads its page token and writes the next one."""

    def __init__(self, caller: Caller, method: str, *arguments: object) -> None:
        who = caller.person.user_id if caller.person else caller.service
        self._binding = json.dumps([str(who), method, *map(str, arguments)]).encode()

    def token(self, *last_key: object) -> str:
        payload = json.dumps([str(part) for part in last_key]).encode()
        return base64.urlsafe_b64encode(self._digest(payload) + payload).decode().rstrip("=")

    def last_key(self, token: str, length: int) -> Sequence[str] | None:
        """The parts given to `token()`; None for the first page."""
        if not token:
            return None
        try:
            raw = base64.b64decode(token[:1024] + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            parts = json.loads(raw[DIGEST:])
        except ValueError:
            raise _refused() from None
        # The digest is no signature: a caller can make one, so the content may be anything.
        if raw[:DIGEST] != self._digest(raw[DIGEST:]) or not isinstance(parts, list) or len(parts) != length:
            raise _refused()
        return [str(part) for part in parts]

    def last_id(self, token: str) -> UUID | None:
        """For lists ordered by one id."""
        parts = self.last_key(token, 1)
        try:
            return UUID(parts[0]) if parts else None
        except ValueError:
            raise _refused() from None

    def last_ids(self, token: str) -> tuple[UUID, UUID] | None:
        """For lists ordered by two ids."""
        parts = self.last_key(token, 2)
        try:
            return (UUID(parts[0]), UUID(parts[1])) if parts else None
        except ValueError:
            raise _refused() from None

    def last_time_and_id(self, token: str) -> tuple[datetime, UUID] | None:
        """For lists ordered by a time, then an id."""
        parts = self.last_key(token, 2)
        try:
            return (datetime.fromisoformat(parts[0]), UUID(parts[1])) if parts else None
        except ValueError:
            raise _refused() from None

    def _digest(self, payload: bytes) -> bytes:
        return hashlib.sha256(self._binding + b"\0" + payload).digest()[:DIGEST]


def that_fit(items: Iterable[Item]) -> list[Item]:
    """Those of a page that one message holds, at least one: a page may be shorter than asked (AIP-158)."""
    shown: list[Item] = []
    size = 0
    for item in items:
        size += item.ByteSize()
        if shown and size > MAX_BYTES:
            break
        shown.append(item)
    return shown


def _refused() -> ServiceError:
    wrong = "not the next_page_token of the same call with the same arguments"
    return ServiceError(Reason.BAD_REQUEST, fields=(("page_token", wrong),))
