"""Page tokens: bound to who asked for what, and never trusted."""

import base64
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from shared.caller import Caller, Person
from shared.errors import ServiceError
from shared.pages import DIGEST, Pages
from shared.reasons import Reason

ADA, BO = (Caller(Person(uuid4(), uuid4())) for _ in range(2))
OPERATOR = Caller(service="operator")
KEY = UUID("01990e6c-7b2a-7cc0-9d5e-0242ac120002")
MOMENT = datetime(2026, 10, 31, 12, 30, 0, 123456, tzinfo=UTC)


def pages(caller: Caller = ADA, method: str = "ListProjects", *arguments: object) -> Pages:
    return Pages(caller, method, *arguments)


def refused(reader: Pages, token: str) -> bool:
    try:
        reader.last_id(token)
    except ServiceError as error:
        return error.reason is Reason.BAD_REQUEST and [path for path, _ in error.fields] == ["page_token"]
    return False


def forged(reader: Pages, payload: bytes) -> str:
    """What a caller who has read our source can make: the digest is no signature."""
    return base64.urlsafe_b64encode(reader._digest(payload) + payload).decode().rstrip("=")


def test_a_token_brings_back_the_last_key() -> None:
    assert pages().last_id(pages().token(KEY)) == KEY
    assert pages().last_time_and_id(pages().token(MOMENT, KEY)) == (MOMENT, KEY)


def test_the_first_page_has_no_key() -> None:
    assert pages().last_id("") is None
    assert pages().last_time_and_id("") is None


def test_a_token_of_another_caller_method_or_argument_is_refused() -> None:
    token = pages(ADA, "ListProjects", "acme").token(KEY)
    assert not refused(pages(ADA, "ListProjects", "acme"), token)
    for other in (
        pages(BO, "ListProjects", "acme"),
        pages(OPERATOR, "ListProjects", "acme"),
        pages(ADA, "ListMembers", "acme"),
        pages(ADA, "ListProjects", "other"),
        pages(ADA, "ListProjects"),
        pages(ADA, "ListProjects", "acme", ""),
    ):
        assert refused(other, token)


def test_arguments_cannot_be_shifted_into_each_other() -> None:
    assert refused(pages(ADA, "L", "a", "bc"), pages(ADA, "L", "ab", "c").token(KEY))


def test_every_damaged_token_is_refused() -> None:
    token = pages().token(KEY)
    for place in range(len(token) - 1):  # the last character's low bits may mean nothing
        assert refused(pages(), token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :])
    for end in range(1, len(token)):
        assert refused(pages(), token[:end])
    for odd in ("x", "====", "a" * 5000, "\0", "ü", "\u202e", token + "A", token * 20):
        assert refused(pages(), odd)


@pytest.mark.parametrize(
    "payload",
    [b"", b"null", b"{}", b"7", b'"x"', b"[]", b"[null]", b"[[]]", b'["x"]', b'["x", "y"]', b'["\\ud800"]', b"\xff\xfe",
     b"[" * 700, b"[" * 350 + b"]" * 350, b"[1e999]", b"[" + b"9" * 600 + b"]", json.dumps([str(KEY), "x"]).encode()],
)  # fmt: skip
def test_whatever_is_inside_a_forged_token_it_is_refused_and_breaks_nothing(payload: bytes) -> None:
    assert refused(pages(), forged(pages(), payload))


@pytest.mark.parametrize("parts", [["", str(KEY)], ["x", str(KEY)], [str(MOMENT), "x"], ["9999-99-99", str(KEY)]])
def test_a_forged_time_is_refused(parts: list[str]) -> None:
    with pytest.raises(ServiceError):
        pages().last_time_and_id(forged(pages(), json.dumps(parts).encode()))


def test_a_token_names_nobody() -> None:
    raw = base64.urlsafe_b64decode(pages().token(KEY) + "==")
    assert ADA.person is not None
    assert json.loads(raw[DIGEST:]) == [str(KEY)]
    assert str(ADA.person.user_id).encode() not in raw
