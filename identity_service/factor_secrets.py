"""The secrets of authenticator apps at rest: encrypted under FACTOR_SECRETS, each bound to its user."""

import base64
from collections.abc import Sequence
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.log import log

# What the keys are for, so that the same text used elsewhere makes another key (RFC 5869). Never changed.
PURPOSE = b"tenantry/identity/totp-secrets"


class FactorSecrets:
    """The first of `texts` encrypts, all decrypt; without any there are no second factors."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._keys = MultiFernet([Fernet(key_from(text)) for text in texts]) if texts else None

    @property
    def are_there(self) -> bool:
        return self._keys is not None

    def seal(self, user_id: UUID, secret: str) -> bytes:
        assert self._keys is not None, "FACTOR_SECRETS"
        return self._keys.encrypt(user_id.bytes + secret.encode())

    def unseal(self, user_id: UUID, sealed: bytes) -> str | None:
        """None, and a line in the log, when it was sealed with another secret or for another user."""
        try:
            opened = self._keys.decrypt(sealed) if self._keys else b""
        except InvalidToken:
            opened = b""
        if not opened.startswith(user_id.bytes):
            log.error(
                "a second factor cannot be decrypted; is a secret gone from FACTOR_SECRETS?", user_id=str(user_id)
            )
            return None
        return opened.removeprefix(user_id.bytes).decode()


def key_from(text: str) -> bytes:
    """As Fernet wants it: 32 bytes, url-safe base64."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(text.encode())
    return base64.urlsafe_b64encode(derived)
