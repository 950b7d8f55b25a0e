"""Damaged, hostile and absurd input to every RPC: clear errors, no crash, and no word of how it is made inside."""

import random
import re
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from identity_service.server import SERVICES as IDENTITY
from tenancy_service.server import SERVICES as TENANCY
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, People
from tests.calls import read
from tests.hostile import HOSTILE

METHODS = {
    f"{service.full_name}/{method.name}": method for service in (*IDENTITY, *TENANCY) for method in service.methods
}
RPCS = sorted(METHODS)
EXPECTED = {
    "OK", "INVALID_ARGUMENT", "PERMISSION_DENIED", "UNAUTHENTICATED", "NOT_FOUND", "ALREADY_EXISTS", "ABORTED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "OUT_OF_RANGE",
}  # fmt: skip
# Class names, SQL, files, versions: nothing of this stands in a text that a caller gets.
INSIDE = re.compile(
    r"psycopg|sqlalchemy|asyncio|grpc\.|google\.|Traceback|Exception|Error\b|\.py\b|SELECT |INSERT |uuid\.UUID"
)


def strings(message: Descriptor) -> Iterator[FieldDescriptor]:
    for field in message.fields:
        if field.message_type is not None:
            yield from strings(field.message_type)
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield field


def filled(descriptor: Descriptor, text: str) -> Any:
    """Every string field of a request has this text, also in nested and repeated messages."""
    message: Any = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.message_type is not None:
            if field.message_type.full_name.startswith("google."):
                continue
            if field.message_type.GetOptions().map_entry:
                getattr(message, field.name)[text] = text
                continue
            inner = filled(field.message_type, text)
            target = getattr(message, field.name)
            target.append(inner) if field.is_repeated else target.CopyFrom(inner)
        elif field.type == FieldDescriptor.TYPE_STRING:
            if field.is_repeated:
                getattr(message, field.name).append(text)
            else:
                setattr(message, field.name, text)
    return message


async def outcome_of(pair: Pair, rpc: str, body: bytes, metadata: Metadata) -> tuple[str, str]:
    """The code and the text."""
    channel = pair.identity.channel if rpc.startswith("identity") else pair.tenancy.channel
    streams = METHODS[rpc].server_streaming
    kind: Any = channel.unary_stream if streams else channel.unary_unary
    call = kind(f"/{rpc}")(body, metadata=metadata, timeout=20)
    try:
        await (call.read() if streams else call)
    except grpc.aio.AioRpcError as error:
        code = error.code().name
        if code == "RESOURCE_EXHAUSTED" and "larger than max" in (error.details() or ""):
            return code, ""  # gRPC's own refusal of an oversized message
        return code, f"{read(error).message} {read(error).fields}"
    call.cancel()  # a stream would go on
    return "OK", ""


@pytest.fixture(scope="module")
async def callers(people: People) -> list[Metadata]:
    """New people for each, as they are about to do strange things; services too."""
    ada = await people.person()
    return [AS_OPERATOR, AS_OPERATOR + ada.metadata]


async def check(pair: Pair, rpc: str, body: bytes, callers: list[Metadata]) -> None:
    for metadata in callers:
        code, text = await outcome_of(pair, rpc, body, metadata)
        assert code in EXPECTED, (rpc, code, text, body[:100])
        assert not INSIDE.search(text), (rpc, text)


@pytest.mark.parametrize("rpc", RPCS)
async def test_random_and_damaged_messages(pair: Pair, callers: list[Metadata], rpc: str) -> None:
    chance = random.Random(rpc)
    sample = filled(METHODS[rpc].input_type, "00000000-0000-7000-8000-000000000000").SerializeToString()
    for n in range(12):
        if n % 2 or not sample:
            body = chance.randbytes(chance.randrange(1, 60))
        else:
            damaged = bytearray(sample)
            for _ in range(chance.randrange(1, 4)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            body = bytes(damaged[: chance.randrange(1, len(damaged) + 1)])
        await check(pair, rpc, body, callers)


@pytest.mark.parametrize("rpc", [rpc for rpc in RPCS if any(strings(METHODS[rpc].input_type))])
async def test_every_string_field_with_hostile_text(pair: Pair, callers: list[Metadata], rpc: str) -> None:
    for text in HOSTILE:
        await check(pair, rpc, filled(METHODS[rpc].input_type, text).SerializeToString(), callers)


@pytest.mark.parametrize("rpc", [rpc for rpc in RPCS if "page_size" in METHODS[rpc].input_type.fields_by_name])
async def test_page_sizes_at_their_bounds(pair: Pair, callers: list[Metadata], rpc: str) -> None:
    request: Any = GetMessageClass(METHODS[rpc].input_type)()
    for size in (-(2**31), -1, 0, 1, 1000, 1001, 2**31 - 1):
        request.page_size = size
        code, text = await outcome_of(pair, rpc, request.SerializeToString(), callers[1])
        assert code in EXPECTED
        assert ("page_size" in text) is (size < 0), (rpc, size, text)


@pytest.mark.parametrize("rpc", ["identity.v1.UserService/GetUser", "tenancy.v1.ProjectService/GetProject"])
async def test_an_oversized_message_is_refused_and_the_connection_goes_on(
    pair: Pair, callers: list[Metadata], rpc: str
) -> None:
    """Once for each service: gRPC takes half a second to refuse one."""
    oversized = filled(METHODS[rpc].input_type, "x" * 300_000).SerializeToString()
    assert await outcome_of(pair, rpc, oversized, callers[0]) == ("RESOURCE_EXHAUSTED", "")
    code, _ = await outcome_of(pair, rpc, b"", callers[0])
    assert code == "INVALID_ARGUMENT"
