"""Devices and sources that somebody has signed in with before: others' guesses do not use up their tries.

A device token opens nothing by itself. It is stored as SHA-256, as is the source.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from identity_service.queries import known_devices
from shared import one_time
from shared.database import Tx


@dataclass(frozen=True, slots=True)
class Device:
    """What a call shows of where it comes from. `token` is empty on a device that has none yet."""

    source: str
    token: str

    @property
    def hashes(self) -> list[bytes]:
        return [*([self._token_hash] if self.token else []), self._source_hash]

    def known_as(self, known: Collection[bytes]) -> str | None:
        """What its own tries are counted by; None if neither its token nor its source is among the `known`.

        A token goes first: a source may be shared with others, who could use up its tries.
        """
        return next((each.hex() for each in self.hashes if each in known), None)

    def after_sign_in(self, known: Collection[bytes]) -> "Device":
        """With its own token if it is a known one, else a new one."""
        return self if self.token and self._token_hash in known else Device(self.source, one_time.make_token())

    # Each with its kind: otherwise who sends the text of a source as a token would pass for that source.
    @property
    def _token_hash(self) -> bytes:
        return hashlib.sha256(f"device\0{self.token}".encode("utf-8", "surrogatepass")).digest()

    @property
    def _source_hash(self) -> bytes:
        return hashlib.sha256(f"source\0{self.source}".encode()).digest()


async def remember(tx: Tx, user_id: UUID, device: Device, known: Collection[bytes]) -> str:
    """Its token: the next sign-in with it, or from the same source, is one of a known device. The user is locked."""
    remembered = device.after_sign_in(known)
    await known_devices.upsert_known_devices(tx, user_id=user_id, hashes=remembered.hashes)
    return remembered.token
