"""Damaged and forged tokens over the wire: none gets in by any way, all get one answer, and none leaves a trace."""

import base64
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import grpc
import pytest
from google.protobuf.message import Message

from identity_service import tokens
from protos.identity.v1 import sessions_pb2 as pb
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from shared.reasons import Reason
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People, TestPerson
from tests.calls import fails, outcome
from tests.identity.conftest import Rows

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def forgeries(ada: TestPerson, bo: TestPerson, secret: bytes) -> dict[str, str]:
    """A text for each class of damage. Whoever makes them knows valid tokens and sids, but not the secret."""
    token, sid = ada.token, ada.sid
    head, mac = token.rpartition(".")[0], token.rpartition(".")[2]
    decoded = base64.b64decode(mac + "=")
    same_bytes = [mac[:-1] + c for c in ALPHABET if base64.b64decode(mac[:-1] + c + "=") == decoded and c != mac[-1]]
    other = secrets.token_bytes(36)
    return {
        "empty": "",
        "first character of the mac flipped": f"{head}.{chr(ord(mac[0]) ^ 1)}{mac[1:]}",
        "last character of the sid flipped": f"{head[:-1]}{chr(ord(head[-1]) ^ 1)}.{mac}",
        "case of the mac changed": f"{head}.{mac.swapcase()}",
        "case of the sid changed": f"s:{sid.swapcase()}.{mac}",
        "another secret": tokens.sign(sid, other),
        "empty secret": tokens.sign(sid, b""),
        "the secret's first bytes": tokens.sign(sid, secret[:16]),
        "the secret in upper case": tokens.sign(sid, secret.upper()),
        "a retired secret": tokens.sign(sid, b"retired " + other),
        "the sid of one, the mac of the other": f"s:{sid}.{bo.token.rpartition('.')[2]}",
        "the mac of another sid, both signed": f"{bo.token.rpartition('.')[0]}.{mac}",
        "padded": f"{token}=",
        "padded twice": f"{token}==",
        "url-safe alphabet": f"{head}.{mac.replace('+', '-').replace('/', '_')}~",
        "another spelling of the same bytes": f"{head}.{same_bytes[0]}",
        "a third spelling": f"{head}.{same_bytes[1]}",
        "hexadecimal mac": f"{head}.{decoded.hex()}",
        "mac cut short": token[:-1],
        "mac of one character": f"{head}.{mac[0]}",
        "no mac": f"{head}.",
        "no dot": head,
        "two dots": f"{head}..{mac}",
        "dot in front": f"s:.{sid}.{mac}",
        "bare sid": sid,
        "without its prefix": token.removeprefix("s:"),
        "prefix twice": f"s:{token}",
        "prefix of a JSON cookie": f"j:{sid}.{mac}",
        "upper-case prefix": f"S:{sid}.{mac}",
        "prefix URL-encoded once more than cookies are": quote(quote(token, safe=""), safe=""),
        "signed twice": tokens.sign(token, other),
        "two tokens in one": f"{token},{bo.token}",
        "4 KiB": f"s:{'x' * 4000}.{mac}",
        "a long sid": f"s:{sid}{'x' * 400}.{mac}",
        "NUL inside": f"s:{sid}\0.{mac}",
        "NUL behind": f"{token}\0",
        "line end inside": f"s:{sid}\r\n.{mac}",
        "not ASCII": f"s:{sid}é.{mac}",
        "look-alike letters": token.replace("s:", "ѕ:", 1),  # a Cyrillic one
        "session id instead of the sid": f"s:{ada.session_id}.{mac}",
        "user id instead of the sid": f"s:{ada.user_id}.{mac}",
        "an SQL text": f"s:' OR '1'='1.{mac}",
        "a LIKE pattern": f"s:%.{mac}",
        "a JSON text": f's:{{"sid":"{sid}"}}.{mac}',
        "a JWT without signature": "eyJhbGciOiJub25lIn0."
        + base64.urlsafe_b64encode(ada.user_id.encode()).decode()
        + ".",
    }


@pytest.fixture(scope="module")
async def forged(pair: Pair, people: People) -> dict[str, str]:
    ada, bo = await people.persons(2)
    made = forgeries(ada, bo, pair.session_secret)
    assert len(made) >= 30
    assert not {ada.token, bo.token} & set(made.values())
    return made


def sendable(token: str) -> bool:
    """What HTTP/2 lets into a header; the rest can only stand in a message."""
    return token.isascii() and token.isprintable() and len(token) < 4000


async def sessions_there(rows: Rows) -> object:
    return await (await rows.execute("SELECT count(*), max(last_seen_at) FROM session")).fetchone()


async def test_no_forgery_is_valid_and_all_get_one_answer(
    forged: dict[str, str], sessions: SessionServiceStub, rows: Rows
) -> None:
    before = await sessions_there(rows)
    answers = {}
    for damage, token in forged.items():
        request = pb.ValidateSessionRequest(token=token)
        answers[damage] = await outcome(sessions.ValidateSession(request, metadata=AS_OPERATOR))
        async with fails(Reason.SESSION_INVALID):
            await sessions.ValidateSession(request, metadata=AS_OPERATOR)
    assert len(set(answers.values())) == 1
    assert await sessions_there(rows) == before


async def test_neither_is_one_in_a_batch(forged: dict[str, str], sessions: SessionServiceStub, people: People) -> None:
    """And a valid token among them stays valid."""
    ada = await people.person()
    request = pb.BatchValidateSessionsRequest(tokens=[*forged.values(), ada.token])
    *refused, valid = (await sessions.BatchValidateSessions(request, metadata=AS_OPERATOR)).results
    assert {result.error_reason for result in refused} == {"SESSION_INVALID"}
    assert valid.session.session_id == ada.session_id


WAYS: dict[str, Callable[[str], Metadata]] = {
    "bearer": lambda token: (("authorization", f"Bearer {token}"),),
    "cookie": lambda token: (("cookie", f"connect.sid={quote(token, safe='')}"),),
    "cookie, not URL-encoded": lambda token: (("cookie", f"connect.sid={token}"),),
}


@pytest.mark.parametrize("way", WAYS)
async def test_no_forgery_makes_a_call_somebodys(
    way: str, forged: dict[str, str], sessions: SessionServiceStub
) -> None:
    def call(token: str) -> Awaitable[Message]:
        return sessions.GetSession(pb.GetSessionRequest(), metadata=WAYS[way](token))

    found = {damage: await outcome(call(token)) for damage, token in forged.items() if sendable(token)}
    found.pop("empty")
    # Where the text holds what separates cookies, another cookie is left of it, or none.
    assert not [damage for damage, seen in found.items() if seen.startswith(b"OK")]
    assert {seen for seen in found.values() if b"SESSION_REQUIRED" not in seen} == {found["bare sid"]}


@pytest.mark.parametrize(
    "metadata",
    [
        lambda token: (("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")),
        lambda token: (("cookie", f"connect.sid={token}; connect.sid={token}"),),
        lambda token: (("cookie", f"connect.sid={token}"), ("cookie", f"connect.sid={token}")),
        lambda token: (("authorization", f"Basic {token}"),),
        lambda token: (("authorization", token),),
        lambda token: (("authorization-bin", f"Bearer {token}".encode()),),
        lambda token: (("cookie", f"Connect.Sid={token}"),),
        lambda token: (("x-session", token),),
    ],
    ids=["bearer twice", "cookie twice", "two cookie headers", "basic", "no scheme", "-bin", "other name", "x-session"],
)
async def test_a_valid_token_sent_the_wrong_way_is_nobodys(
    metadata: Callable[[str], Metadata], people: People, sessions: SessionServiceStub
) -> None:
    ada = await people.person()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await sessions.GetSession(pb.GetSessionRequest(), metadata=metadata(ada.token))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_signed_sids_that_do_not_exist_add_no_row(pair: Pair, sessions: SessionServiceStub, rows: Rows) -> None:
    """With the right secret even: a session is never made by asking for it (S8)."""
    before = await sessions_there(rows)
    made = [tokens.sign(tokens.make_sid(), pair.session_secret) for _ in range(1000)]
    for _ in range(10):
        answer = await sessions.BatchValidateSessions(
            pb.BatchValidateSessionsRequest(tokens=made), metadata=AS_OPERATOR
        )
        assert {result.error_reason for result in answer.results} == {"SESSION_INVALID"}
    assert await sessions_there(rows) == before


async def test_sids_from_a_dump_of_the_table_open_nothing(sessions: SessionServiceStub, rows: Rows) -> None:
    """Whoever reads the database has no mac (S7)."""
    sids = [row[0] for row in await (await rows.execute("SELECT sid FROM session LIMIT 200")).fetchall()]
    assert sids
    for form in ("{}", "s:{}", "s:{}.", "s:{0}.{0}"):
        asked = pb.BatchValidateSessionsRequest(tokens=[form.format(sid) for sid in sids])
        answer = await sessions.BatchValidateSessions(asked, metadata=AS_OPERATOR)
        assert {result.error_reason for result in answer.results} == {"SESSION_INVALID"}
