"""Secrets that are good once: handed out, and stored as their hash only."""

import hashlib
import secrets

MAX_TOKEN = 100  # ours have 43


def make_token() -> str:
    """256 random bits in 43 url-safe characters; what is stored is `hash_of`."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> bytes:
    """A plain hash will do for 256 random bits (ASVS 6.5.2)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
