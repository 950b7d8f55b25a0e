"""What a session token is, and which of the usual causes makes it refused. For operators, on the service's own machine.

Callers get one answer for all causes (SESSION_INVALID); whoever has the secrets and the database may know.
"""

import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import psycopg
from psycopg.rows import dict_row

from identity_service import tokens
from tenantry import run_state
from tenantry.failures import NOT_REACHED, WRONG_USE, Failure

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
SID = re.compile(r"[\w-]{20,64}")
COOKIE = re.compile(r"(?:cookie:\s*)?[\w.-]+=(?P<value>s(?::|%3a)[^;]*);?", re.IGNORECASE)

FIND = """
SELECT s.session_id::text, s.user_id, s.expire, s.absolute_expires_at, s.expire <= now() AS is_idle,
       s.absolute_expires_at <= now() AS is_over, u.state, u.email
  FROM session s
  LEFT JOIN users u ON u.user_id::text = s.user_id
 WHERE s.sid = %s
"""
ENDED = "SELECT EXISTS (SELECT FROM session_ended WHERE sid = %s)"


@dataclass(frozen=True, slots=True)
class Place:
    """Identity's secrets, the one that signs first, and its database."""

    secrets: tuple[str, ...]
    database_url: str


@dataclass(slots=True)
class Finding:
    """`cause` is a word for scripts; nothing in it opens a session."""

    cause: str = ""
    what: str = ""
    notes: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def is_valid(self) -> bool:
        return self.cause == "VALID"

    def is_(self, cause: str, what: str) -> "Finding":
        self.cause, self.what = cause, what
        return self

    def as_json(self) -> dict[str, Any]:
        return {"valid": self.is_valid, "cause": self.cause, "what": self.what, "notes": self.notes, **self.facts}

    def lines(self) -> list[str]:
        known = [f"  {name.replace('_', ' '):<14}{value}" for name, value in self.facts.items()]
        return [f"{'yes' if self.is_valid else 'no'}    {self.what}", *(f"  {text}" for text in self.notes), *known]


def place() -> Place:
    state = run_state.nearest()
    if state:
        return Place(tuple(state["session_secrets"]), state["identity"]["database_url"])
    secrets = os.environ.get("SESSION_SECRETS") or os.environ.get("SESSION_SECRET")
    url = os.environ.get("IDENTITY_DATABASE_URL") or os.environ.get("DATABASE_URL")
    if not secrets or not url:
        missing = " and ".join(
            name for name, value in (("SESSION_SECRETS", secrets), ("DATABASE_URL", url)) if not value
        )
        raise Failure(f"no pair runs here, and {missing} of identity is not set", WRONG_USE, "start one:  make run")
    return Place(tuple(secret.strip() for secret in secrets.split(",") if secret.strip()), url)


def inspect(text: str, place: Place) -> Finding:
    finding = Finding()
    token = unwrapped(text, finding)
    if not token.startswith("s:") or "." not in token:
        return not_signed(token, finding)
    if len(token) > tokens.MAX_TOKEN or not token.isprintable():
        return finding.is_("NOT_A_TOKEN", f"Not a token: longer than {tokens.MAX_TOKEN} characters or not printable.")
    signed_by = signer(token, place.secrets)
    if signed_by is None:
        return wrong_signature(token, place.secrets, finding)
    if signed_by > 1:
        finding.notes.append(
            f"Signed by secret {signed_by} of {len(place.secrets)}, a retired one, which is still taken."
        )
    finding.facts["secret"] = f"{signed_by} of {len(place.secrets)}"
    return in_the_database(token[2:].rpartition(".")[0], place.database_url, finding)


def unwrapped(text: str, finding: Finding) -> str:
    """The token itself, where more was pasted; what had to be taken off makes it refused as it is."""
    token = text.strip().strip("\"'")
    for prefix in ("authorization:", "bearer "):
        if token.lower().startswith(prefix):
            token = token[len(prefix) :].strip()
    if cookie := COOKIE.match(token):
        finding.notes.append("Pasted with its cookie's name; only the value is the token.")
        token = cookie["value"]
    for _ in range(2):  # some frameworks encode twice
        if token.lower().startswith(("s%3a", "s%253a")):
            finding.notes.append("Still URL-encoded, so it is refused as it is: decode the cookie's value once more.")
            token = unquote(token)
    return token


def not_signed(token: str, finding: Finding) -> Finding:
    if UUID.fullmatch(token):
        return finding.is_("SESSION_ID", "A session_id or user_id: it names something, and opens nothing.")
    if SID.fullmatch(token.removeprefix("s:")):
        what = (
            "A bare session id without its signature. The token is s:<sid>.<signature>, the whole value of the cookie."
        )
        return finding.is_("BARE_SID", what)
    if "." in token and token.count(".") == 2 and token.startswith("ey"):
        return finding.is_("NOT_A_TOKEN", "A JSON Web Token. Tenantry's tokens begin with s: and are looked up.")
    return finding.is_("NOT_A_TOKEN", "Not a session token at all: those are s:<sid>.<signature>.")


def signer(token: str, secrets: tuple[str, ...]) -> int | None:
    """The place, from 1, of the secret that signed it."""
    places = (place for place, secret in enumerate(secrets, 1) if tokens.read(token, [secret.encode()]) is not None)
    return next(places, None)


def wrong_signature(token: str, secrets: tuple[str, ...], finding: Finding) -> Finding:
    body, _, mac = token.rpartition(".")
    standard = mac.rstrip("=").translate(str.maketrans("-_ ", "+/+"))
    if standard != mac and signer(f"{body}.{standard}", secrets):
        what = "The signature was rewritten on its way: url-safe, padded, or with spaces for +. Send it as it came."
        return finding.is_("SIGNATURE_REWRITTEN", what)
    if not re.fullmatch(r"[A-Za-z0-9+/]{43}", mac):
        what = f"Cut or damaged: a signature has 43 characters of base64, this one {len(mac)}."
        return finding.is_("DAMAGED", what)
    count = f"any of the {len(secrets)} secrets" if len(secrets) > 1 else "the one secret"
    what = f"Not signed by {count} in SESSION_SECRETS: another SESSION_SECRET, one that was dropped, or damaged."
    return finding.is_("OTHER_SECRET", what)


def in_the_database(sid: str, url: str, finding: Finding) -> Finding:
    try:
        with psycopg.connect(url, connect_timeout=5, row_factory=dict_row) as connection:
            row = connection.execute(FIND, (sid,)).fetchone()
            ended = connection.execute(ENDED, (sid,)).fetchone() if row is None else None
    except psycopg.OperationalError as error:
        raise Failure(f"identity's database does not answer: {error}".strip(), NOT_REACHED) from None
    if row is not None:
        return judge(row, finding)
    if ended and ended["exists"]:
        what = (
            "Signed by us, and ended within the last day: signed out, revoked, replaced by a new sign-in, or expired."
        )
        return finding.is_("ENDED", what)
    return finding.is_("UNKNOWN", "Signed by us, but there is no such session: ended or expired more than a day ago.")


def judge(row: dict[str, Any], finding: Finding) -> Finding:
    user_id, state = row["user_id"], row["state"]
    told = {"session_id": row["session_id"], "user_id": user_id, "email": row["email"]}
    times = {"ends": row["expire"], "ends_at_latest": row["absolute_expires_at"]}
    finding.facts |= {name: value for name, value in told.items() if value}
    finding.facts |= {name: f"{value:%Y-%m-%dT%H:%M:%S%z}" for name, value in times.items()}
    if row["is_over"]:
        return finding.is_("OVER", "Expired: the absolute limit is over (SESSION_ABSOLUTE_SECONDS).")
    if row["is_idle"]:
        return finding.is_("IDLE", "Expired: not used for too long (SESSION_IDLE_SECONDS).")
    if user_id is None:
        return finding.is_("NOBODY", "A session of an Express app in which nobody is signed in.")
    if state is None:
        return finding.is_(
            "USER_UNKNOWN", "A session of a user who is not there: an Express app wrote an id of its own."
        )
    if state != "ACTIVE":
        return finding.is_(f"USER_{state}", f"The session is there, but its user is {state}.")
    if any("URL-encoded" in text for text in finding.notes):
        return finding.is_("URL_ENCODED", "Decoded, it is valid; as it was given, it is refused.")
    return finding.is_("VALID", "Valid now.")
