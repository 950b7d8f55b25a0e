"""From a call's metadata to its caller, as the RPC's row in the access policy demands."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import unquote

from shared.access_rules import Rule
from shared.caller import ANONYMOUS, Caller, Person
from shared.errors import ServiceError
from shared.reasons import Reason

MAX_TOKEN = 512
MAX_COOKIE = 8192
HOST = "__Host-"  # a browser takes a cookie of such a name from this host alone, over TLS (RFC 6265bis, 4.1.3.2)

Metadata = Sequence[tuple[str, str | bytes]]


class Authentication:
    """`find_person` answers for a token or raises SESSION_INVALID; `service_keys` maps names to SHA-256 digests."""

    def __init__(
        self,
        find_person: Callable[[str], Awaitable[Person]],
        service_keys: Mapping[str, bytes],
        cookie_name: str,
    ) -> None:
        self._find_person = find_person
        self._service_keys = service_keys
        self._cookie_name = cookie_name

    async def caller(self, rule: Rule, metadata: Metadata) -> Caller:
        """Every credential that is sent is checked; a public RPC looks at none."""
        caller = self.claimed(rule, metadata)
        return caller if caller.token is None or rule.session_checked_by_handler else await self.confirmed(caller)

    def claimed(self, rule: Rule, metadata: Metadata) -> Caller:
        """Who says to be calling, with a `token` that nobody has looked at yet."""
        if rule.public:
            return ANONYMOUS
        token = session_token(metadata, self._cookie_name)
        service = self._service(metadata)
        if service is not None and not _admits(rule, service):
            if not rule.person:
                raise ServiceError(Reason.SERVICE_NOT_ALLOWED)
            service = None
        if service is None and not rule.person:
            raise ServiceError(Reason.SERVICE_KEY_REQUIRED)
        if service is None and token is None:
            raise ServiceError(Reason.SESSION_REQUIRED)
        return Caller(None, service, token)

    async def confirmed(self, caller: Caller) -> Caller:
        """With the person whose session its token stands for."""
        assert caller.token is not None
        return Caller(await self._find_person(caller.token), caller.service, caller.token)

    def _service(self, metadata: Metadata) -> str | None:
        keys = _values(metadata, "x-service-key")
        if not keys:
            return None
        name, _, secret = keys[0].partition(".")
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
        # An unknown name is compared too, so that names cannot be told apart by time.
        known = self._service_keys.get(name, bytes(32))
        if not hmac.compare_digest(digest, known) or len(keys) > 1:
            raise ServiceError(Reason.SERVICE_KEY_INVALID)
        return name


def session_token(metadata: Metadata, cookie_name: str) -> str | None:
    """The token of `authorization: Bearer` or of the session cookie (URL-decoded once); None without either.

    Sent twice it is ambiguous, and which one counts would depend on who reads it: refused.
    """
    found = [_bearer(value) for value in _values(metadata, "authorization")]
    if not found:
        found = _in_cookies(_values(metadata, "cookie"), cookie_name)
    if not found:
        return None
    if len(found) > 1 or len(found[0]) > MAX_TOKEN:
        raise ServiceError(Reason.SESSION_INVALID)
    return found[0]


def cookie_names(cookie_name: str) -> tuple[str, ...]:
    """What the session cookie may be called, the name that counts first: over TLS it has the prefix.

    Who sets a name that has it already wants no other.
    """
    return (cookie_name,) if cookie_name.startswith(HOST) else (HOST + cookie_name, cookie_name)


def _in_cookies(headers: Sequence[str], cookie_name: str) -> list[str]:
    """All values of the first name that is there: no other host can have set one with the prefix."""
    if not headers:
        return []
    named = [pair.strip().partition("=") for value in headers for pair in value[:MAX_COOKIE].split(";")]
    for wanted in cookie_names(cookie_name):
        if found := [unquote(value.strip('"'), errors="replace") for name, _, value in named if name == wanted]:
            return found
    return []


def _bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _values(metadata: Metadata, key: str) -> list[str]:
    return [value for name, value in metadata if name == key and isinstance(value, str)]


def _admits(rule: Rule, service: str) -> bool:
    return rule.services is not None and (not rule.services or service in rule.services)
