"""Session tokens: express-session's signed cookie, `s:<sid>.<mac>`.

The mac is HMAC-SHA256 of the sid in standard base64 without padding, compared as text: decoded, its last
character would have three other spellings.
"""

import base64
import hmac
import secrets
from collections.abc import Sequence

MAX_TOKEN = 512


def make_sid() -> str:
    """192 random bits in 32 url-safe characters, as express-session makes them."""
    return secrets.token_urlsafe(24)


def sign(sid: str, secret: bytes) -> str:
    """The token of a session."""
    return f"s:{sid}.{_mac(sid, secret).decode()}"


def read(token: str, session_secrets: Sequence[bytes]) -> str | None:
    """The sid of a token that one of the secrets has signed; None for any other text."""
    # What is not printable (NUL, surrogates) is in no sid, and PostgreSQL would refuse the whole batch.
    if len(token) > MAX_TOKEN or not token.startswith("s:") or not token.isprintable():
        return None
    sid, _, mac = token[2:].rpartition(".")
    if not sid:
        return None
    given = mac.encode()
    signed = False
    for secret in session_secrets:  # every one, so that the time does not tell which
        signed |= hmac.compare_digest(_mac(sid, secret), given)
    return sid if signed else None


def _mac(sid: str, secret: bytes) -> bytes:
    return base64.b64encode(hmac.digest(secret, sid.encode(), "sha256")).rstrip(b"=")
