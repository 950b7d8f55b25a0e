"""The engine of the access matrices: every RPC, called by every kind of caller, and who of them gets in.

A request of the matrix changes nothing even where it is let in (the slug is taken, the etag stale, the member
not there), so every call can be made on the same rows, and these must be the same rows at the end.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import psycopg
from google.protobuf.message import Message

from identity_service import tokens
from shared.access_rules import Rule
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People, TestPerson
from tests.calls import read

KEPT_OUT = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}

# Nobody of these gets in anywhere but on public RPCs.
NOBODY = ("anonymous", "bad mac", "bare sid", "expired", "revoked", "deleted user")
WRONG_KEYS = ("wrong key", "unknown service")


@dataclass(frozen=True)
class Row:
    """Who gets in, and a request that would change nothing."""

    gets_in: frozenset[str]
    request: Message
    response: type[Message]
    streams: bool = False


async def nobodies(pair: Pair, people: People) -> dict[str, Metadata]:
    """Everybody who is not validly signed in, and services that are none."""
    expired, revoked, deleted = await people.persons(3)
    async with await psycopg.AsyncConnection.connect(pair.identity.database_url) as connection:
        await connection.execute("UPDATE session SET expire = now() - interval '1 s' WHERE sid = %s", (expired.sid,))
        await connection.execute("DELETE FROM session WHERE sid = %s", (revoked.sid,))
        await connection.execute("DELETE FROM users WHERE user_id = %s", (deleted.user_id,))
    ada = await people.person()
    return {
        "anonymous": (),
        "bad mac": bearer(tokens.sign(ada.sid, secrets.token_bytes(32))),
        "bare sid": bearer(ada.sid),
        "expired": expired.metadata,
        "revoked": revoked.metadata,
        "deleted user": deleted.metadata,
        "wrong key": (("x-service-key", "operator.wrong"),),
        "unknown service": (("x-service-key", AS_OPERATOR[0][1].replace("operator", "stranger")),),
        "service": AS_OPERATOR,
    }


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def with_key(person: TestPerson) -> Metadata:
    return AS_OPERATOR + person.metadata


async def reason_of(channel: grpc.aio.Channel, rpc: str, row: Row, metadata: Metadata) -> str | None:
    """None for a caller who got in, whatever came of the call; else the reason why not."""
    kind: Callable[..., Any] = channel.unary_stream if row.streams else channel.unary_unary
    call = kind(
        f"/{rpc}", request_serializer=type(row.request).SerializeToString, response_deserializer=row.response.FromString
    )(row.request, metadata=metadata)
    try:
        await (call.read() if row.streams else call)
    except grpc.aio.AioRpcError as error:
        failure = read(error)
        assert failure.code not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), failure
        return failure.reason if failure.code in KEPT_OUT else None
    return None


def expected_reason(who: str, rule: Rule) -> str:
    """Why somebody who does not get in is kept out, from their kind and the RPC's row in the access policy."""
    if who in WRONG_KEYS:
        return "SERVICE_KEY_INVALID"
    if not rule.person and "service" not in who:
        return "SERVICE_KEY_REQUIRED"
    if who in ("anonymous", "service"):
        return "SESSION_REQUIRED"
    return "SESSION_INVALID" if who in NOBODY else "PERMISSION_DENIED"


async def check_row(channel: grpc.aio.Channel, rpc: str, row: Row, rule: Rule, callers: Mapping[str, Metadata]) -> None:
    """Everybody in the row gets in; everybody else is kept out for the reason they must read."""
    found = {who: await reason_of(channel, rpc, row, metadata) for who, metadata in callers.items()}
    assert found == {who: None if who in row.gets_in else expected_reason(who, rule) for who in callers}
