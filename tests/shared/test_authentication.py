"""From metadata to a caller: where a token is looked for, and what each kind of row demands."""

import hashlib
from urllib.parse import quote
from uuid import uuid4

import pytest

from shared.access_rules import PUBLIC, SERVICE, SESSION, SESSION_IN_CHECK, SESSION_OR_SERVICE, Rule, refuse_gaps
from shared.authentication import MAX_TOKEN, Authentication, cookie_names, session_token
from shared.caller import ANONYMOUS, Caller, Person
from shared.errors import ServiceError
from shared.reasons import Reason

COOKIE = "connect.sid"
OVER_TLS = "__Host-connect.sid"
TOKEN = "s:q2rJ9gYt8c1ZcYw6v1a_7fQe3mXo0bKd.Zm9vYmFy/+base64"
ADA = Person(uuid4(), uuid4())
BEARER = ("authorization", f"Bearer {TOKEN}")
BILLING = ("x-service-key", "billing.its-secret")
ONLY_AUDIT = Rule(services=frozenset({"audit"}))

Entry = tuple[str, str | bytes]


def cookie(value: str) -> Entry:
    return ("cookie", value)


def token_in(*metadata: Entry) -> str | None:
    return session_token(metadata, COOKIE)


async def find_person(token: str) -> Person:
    if token != TOKEN:
        raise ServiceError(Reason.SESSION_INVALID)
    return ADA


AUTHENTICATION = Authentication(
    find_person,
    {name: hashlib.sha256(secret).digest() for name, secret in (("billing", b"its-secret"), ("audit", b"a.b"))},
    COOKIE,
)


async def told(rule: Rule, *metadata: Entry) -> Caller | Reason:
    try:
        return await AUTHENTICATION.caller(rule, metadata)
    except ServiceError as error:
        return error.reason


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_the_token_of_a_bearer_header_is_taken_as_it_is(scheme: str) -> None:
    assert token_in(("authorization", f"{scheme} {TOKEN}")) == TOKEN
    assert token_in(("authorization", f"{scheme} {quote(TOKEN)}")) == quote(TOKEN)


@pytest.mark.parametrize(
    "value",
    [f"{COOKIE}={quote(TOKEN, safe='')}", f"theme=dark; {COOKIE}={quote(TOKEN, safe='')}; _ga=1",
     f'{COOKIE}="{quote(TOKEN)}"', f"{COOKIE}={TOKEN}", f"  {COOKIE}={quote(TOKEN)}  "],
)  # fmt: skip
def test_the_token_of_a_cookie_is_url_decoded(value: str) -> None:
    assert token_in(cookie(value)) == TOKEN


def test_a_cookie_is_decoded_once() -> None:
    assert token_in(cookie(f"{COOKIE}={quote(quote(TOKEN, safe=''), safe='')}")) == quote(TOKEN, safe="")


@pytest.mark.parametrize("value", ["", "connect.sid", "xconnect.sid=a", "Connect.Sid=a", "theme=connect.sid=a", ";;;"])
def test_other_cookies_hold_no_token(value: str) -> None:
    assert token_in(cookie(value)) in (None, "")


@pytest.mark.parametrize("other", ["", "; connect.sid=tossed", "; connect.sid=tossed; connect.sid=again"])
def test_the_name_that_only_this_host_can_have_set_counts_first(other: str) -> None:
    found = f"{OVER_TLS}={quote(TOKEN, safe='')}"
    assert token_in(cookie(found + other)) == TOKEN
    assert token_in(cookie(f"connect.sid=tossed; {found}")) == TOKEN
    assert token_in(cookie("connect.sid=tossed"), cookie(found)) == TOKEN


@pytest.mark.parametrize("value", ["__host-connect.sid=a", "__Secure-connect.sid=a", "__Host-__Host-connect.sid=a"])
def test_other_prefixes_are_other_cookies(value: str) -> None:
    assert token_in(cookie(value)) is None
    assert token_in(cookie(f"{value}; {COOKIE}={TOKEN}")) == TOKEN


def test_who_names_the_cookie_with_the_prefix_wants_no_other() -> None:
    assert cookie_names(COOKIE) == (OVER_TLS, COOKIE)
    assert cookie_names(OVER_TLS) == (OVER_TLS,)
    assert session_token([cookie(f"{OVER_TLS}={TOKEN}")], OVER_TLS) == TOKEN
    for other in (COOKIE, f"__Host-{OVER_TLS}"):
        assert session_token([cookie(f"{other}={TOKEN}")], OVER_TLS) is None


def test_without_credentials_there_is_no_token() -> None:
    assert token_in() is None
    assert (
        token_in(("user-agent", "test"), ("authorization-bin", b"Bearer x"), ("cookie-bin", b"connect.sid=x")) is None
    )


def test_a_bearer_header_counts_before_a_cookie() -> None:
    assert token_in(cookie(f"{COOKIE}=other"), BEARER) == TOKEN


@pytest.mark.parametrize(
    "metadata",
    [
        (BEARER, BEARER),
        (BEARER, ("authorization", "Basic QWRhOnB3")),
        (cookie(f"{COOKIE}=a; {COOKIE}=b"),),
        (cookie(f"{COOKIE}=a"), cookie(f"{COOKIE}=a")),
        (cookie(f"{OVER_TLS}=a; {OVER_TLS}=a; {COOKIE}={TOKEN}"),),
        (("authorization", "Bearer " + "x" * (MAX_TOKEN + 1)),),
        (cookie(f"{COOKIE}=" + "x" * (MAX_TOKEN + 1)),),
    ],
    ids=["two headers", "two schemes", "two in a cookie", "two cookies", "two over TLS", "long header", "long cookie"],
)
async def test_what_is_ambiguous_or_too_long_is_refused(metadata: tuple[Entry, ...]) -> None:
    with pytest.raises(ServiceError) as caught:
        session_token(metadata, COOKIE)
    assert caught.value.reason is Reason.SESSION_INVALID
    assert await told(SESSION, *metadata) is Reason.SESSION_INVALID


@pytest.mark.parametrize(
    "value", ["Basic QWRhOnB3", "Digest x", TOKEN, f"Token {TOKEN}", f"BearerX {TOKEN}", "Bearer", "Bearer  ", ""]
)
async def test_other_schemes_are_no_session(value: str) -> None:
    assert await told(SESSION, ("authorization", value)) is Reason.SESSION_INVALID


async def test_a_public_rpc_looks_at_no_credentials() -> None:
    bad = (("authorization", "Bearer forged"), ("x-service-key", "billing.wrong"))
    assert await told(PUBLIC, *bad) is ANONYMOUS
    assert await told(PUBLIC, BEARER, BILLING) is ANONYMOUS


@pytest.mark.parametrize("rule", [SESSION, SESSION_OR_SERVICE])
async def test_a_person_gets_in_where_the_row_says_so(rule: Rule) -> None:
    assert await told(rule, BEARER) == Caller(ADA, None, TOKEN)
    assert await told(rule, cookie(f"{COOKIE}={quote(TOKEN)}")) == Caller(ADA, None, TOKEN)
    assert await told(rule) is Reason.SESSION_REQUIRED
    assert await told(rule, ("authorization", "Bearer forged")) is Reason.SESSION_INVALID


@pytest.mark.parametrize("rule", [SERVICE, SESSION_OR_SERVICE, SESSION_IN_CHECK])
async def test_a_service_gets_in_where_the_row_says_so(rule: Rule) -> None:
    assert await told(rule, BILLING) == Caller(None, "billing", None)


async def test_a_person_alone_is_kept_out_where_only_services_may() -> None:
    assert await told(SERVICE) is Reason.SERVICE_KEY_REQUIRED
    assert await told(SERVICE, BEARER) is Reason.SERVICE_KEY_REQUIRED
    assert await told(SERVICE, ("authorization", "Bearer forged")) is Reason.SERVICE_KEY_REQUIRED


async def test_a_service_alone_is_kept_out_where_only_people_may() -> None:
    assert await told(SESSION, BILLING) is Reason.SESSION_REQUIRED


async def test_both_credentials_are_checked_and_both_are_known() -> None:
    assert await told(SESSION_OR_SERVICE, BEARER, BILLING) == Caller(ADA, "billing", TOKEN)
    assert await told(SERVICE, BEARER, BILLING) == Caller(ADA, "billing", TOKEN)
    assert await told(SERVICE, ("authorization", "Bearer forged"), BILLING) is Reason.SESSION_INVALID
    assert await told(SESSION_OR_SERVICE, BEARER, ("x-service-key", "billing.wrong")) is Reason.SERVICE_KEY_INVALID


async def test_a_service_key_gives_a_person_nothing_where_only_people_may() -> None:
    assert await told(SESSION, BEARER, BILLING) == Caller(ADA, None, TOKEN)


async def test_a_row_can_name_the_services() -> None:
    assert await told(ONLY_AUDIT, ("x-service-key", "audit.a.b")) == Caller(None, "audit", None)
    assert await told(ONLY_AUDIT, BILLING) is Reason.SERVICE_NOT_ALLOWED
    assert await told(ONLY_AUDIT, BILLING, BEARER) is Reason.SERVICE_NOT_ALLOWED


async def test_the_check_asks_about_the_session_itself() -> None:
    assert await told(SESSION_IN_CHECK, ("authorization", "Bearer not checked yet")) == Caller(
        None, None, "not checked yet"
    )
    assert await told(SESSION_IN_CHECK) is Reason.SESSION_REQUIRED


@pytest.mark.parametrize(
    "key",
    ["billing.wrong", "billing", "billing.", ".its-secret", "", ".", "audit.its-secret", "nobody.its-secret",
     "Billing.its-secret", "billing.its-secret ", "billing.its-secret\n", "billing." + "x" * 8000, "billing.\udcff"],
)  # fmt: skip
async def test_a_wrong_service_key_is_refused(key: str) -> None:
    for rule in (SERVICE, SESSION_OR_SERVICE, SESSION):
        assert await told(rule, ("x-service-key", key), BEARER) is Reason.SERVICE_KEY_INVALID


async def test_two_service_keys_are_refused_even_if_both_are_right() -> None:
    assert await told(SERVICE, BILLING, BILLING) is Reason.SERVICE_KEY_INVALID
    assert await told(SERVICE, BILLING, ("x-service-key", "billing.wrong")) is Reason.SERVICE_KEY_INVALID


async def test_a_service_without_keys_trusts_nobody() -> None:
    none = Authentication(find_person, {}, COOKIE)
    with pytest.raises(ServiceError) as caught:
        await none.caller(SERVICE, [BILLING])
    assert caught.value.reason is Reason.SERVICE_KEY_INVALID


def test_an_rpc_without_a_row_is_named() -> None:
    refuse_gaps({"a.S/One": SESSION, "a.S/Old": SESSION}, ["a.S/One"])
    with pytest.raises(RuntimeError, match=r"a\.S/Three, a\.S/Two"):
        refuse_gaps({"a.S/One": SESSION}, ["a.S/One", "a.S/Two", "a.S/Three"])
