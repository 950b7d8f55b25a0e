"""What stands around every RPC: no kind of it slips past authentication, error mapping, logging and decoding."""

from collections.abc import AsyncIterator

import grpc
import pytest

from shared.reasons import Reason
from tests.calls import fails, read
from tests.shared.all_kinds import KINDS, LEAK, MALFORMED, SERVICE, Lines, Running, each, running_kinds, said

AS_FORGER = (("authorization", "Bearer forged"),)
STREAMING = ("StreamUnary", "StreamStream")

every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    lines = Lines()
    monkeypatch.setattr("shared.call.log", lines)
    async with running_kinds(lines) as found:
        yield found


async def refusal(running: Running, path: str) -> grpc.aio.AioRpcError:
    """Of a call without any credentials to an RPC by its path."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.channel.unary_unary(path)(said("a"))
    return caught.value


@every_kind
async def test_a_signed_in_person_is_known_to_the_handler(running: Running, kind: str) -> None:
    answers = await running.call(kind, said("hello"))
    assert answers == ["hello 1"] * len(answers)
    assert answers


@every_kind
async def test_without_a_session_the_handler_is_never_reached(running: Running, kind: str) -> None:
    async with fails(Reason.SESSION_REQUIRED):
        await running.call(kind, said("hello"), metadata=())
    async with fails(Reason.SESSION_INVALID):
        await running.call(kind, said("hello"), metadata=AS_FORGER)
    async with fails(Reason.SERVICE_KEY_INVALID):
        await running.call(kind, said("hello"), metadata=(("x-service-key", "a.b"),))
    assert running.kinds.heard == []


@every_kind
async def test_an_expected_failure_reaches_the_caller_whole(running: Running, kind: str) -> None:
    async with fails(Reason.BAD_REQUEST) as failure:
        await running.call(kind, said("refuse"))
    assert failure.fields == {"name": "too long"}
    assert failure.message == "name: too long. Correct these fields and send the call again."


@every_kind
async def test_an_unexpected_failure_becomes_a_bare_internal(running: Running, kind: str) -> None:
    async with fails(Reason.INTERNAL) as failure:
        await running.call(kind, said("boom"))
    assert failure.message == "Internal error. It is in the service's log; report it if it stays."
    assert LEAK.encode() not in failure.raw
    logged = await running.lines.next()
    assert (logged["event"], str(logged["exc_info"])) == ("unexpected error", LEAK)
    assert (await running.lines.next())["reason"] == "INTERNAL"


@every_kind
async def test_a_failure_while_authenticating_becomes_a_bare_internal_too(running: Running, kind: str) -> None:
    async with fails(Reason.INTERNAL) as failure:
        await running.call(kind, said("hello"), metadata=(("authorization", "Bearer broken"),))
    assert LEAK.encode() not in failure.raw
    assert running.kinds.heard == []


@every_kind
async def test_what_is_no_message_of_the_rpc_is_an_invalid_argument(running: Running, kind: str) -> None:
    async with fails(Reason.MALFORMED_REQUEST) as failure:
        await running.call(kind, MALFORMED)
    assert failure.message.startswith("The request is not a message of this RPC's type.")
    assert running.kinds.heard == []


@pytest.mark.parametrize("kind", STREAMING)
async def test_a_stream_that_goes_bad_later_is_an_invalid_argument(running: Running, kind: str) -> None:
    async with fails(Reason.MALFORMED_REQUEST):
        await running.call(kind, said("first"), MALFORMED)
    assert running.kinds.heard == ["first"]


@every_kind
async def test_strangers_cannot_make_the_server_decode_anything(running: Running, kind: str) -> None:
    async with fails(Reason.SESSION_REQUIRED):
        await running.call(kind, MALFORMED, metadata=())


@every_kind
async def test_each_call_leaves_one_line_without_payload_or_token(running: Running, kind: str) -> None:
    await running.call(kind, said("my secret"))
    line = await running.lines.next()
    assert line.pop("milliseconds") >= 0
    assert line == {
        "event": "call",
        "method": f"{SERVICE}/{kind}",
        "code": "OK",
        "reason": None,
        "user_id": "00000000-0000-0000-0000-000000000001",
        "service": None,
        "request_id": "request-7",
    }
    assert running.lines.lines == []


@every_kind
async def test_a_refused_call_leaves_a_line_with_its_reason(running: Running, kind: str) -> None:
    async with fails(Reason.SESSION_INVALID):
        await running.call(kind, said("a"), metadata=AS_FORGER)
    line = await running.lines.next()
    assert (line["code"], line["reason"], line["user_id"]) == ("UNAUTHENTICATED", "SESSION_INVALID", None)


async def test_a_public_rpc_ignores_credentials(running: Running) -> None:
    for metadata in ((), AS_FORGER, (("x-service-key", "a.b"),)):
        assert await running.call("Open", said("hello"), metadata=metadata) == ["hello nobody"]


async def test_callers_are_not_mixed_up(running: Running) -> None:
    assert await running.call("UnaryUnary", said("a")) == ["a 1"]
    assert await running.call("Open", said("a")) == ["a nobody"]


@pytest.mark.parametrize(
    "path", [f"/{SERVICE}/NoSuchRpc", "/no.such.Service/Get", f"/{SERVICE}/", "//", "/%00", f"/{SERVICE}/unaryunary"]
)
async def test_an_unknown_rpc_is_unimplemented_and_not_remembered(running: Running, path: str) -> None:
    known = {*running.guard._methods}
    failure = read(await refusal(running, path))
    assert (failure.code, failure.reason) == (grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN")
    assert failure.help == "docs/errors.md#METHOD_UNKNOWN"
    assert {*running.guard._methods} == known


async def test_an_unknown_rpc_is_unimplemented_for_streams_as_well(running: Running) -> None:
    for call in (
        running.channel.unary_stream("/no.such.Service/Get")(said("a")),
        running.channel.stream_stream("/no.such.Service/Get")(each()),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert read(caught.value).reason == "METHOD_UNKNOWN"


async def test_an_rpc_that_slipped_past_the_start_without_a_row_is_not_served(running: Running) -> None:
    assert read(await refusal(running, f"/{SERVICE}/WithoutRow")).reason == "METHOD_UNKNOWN"
    assert running.kinds.heard == []


async def test_a_quiet_rpc_is_logged_when_it_fails_or_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Lines()
    monkeypatch.setattr("shared.call.log", lines)
    async with running_kinds(lines, frozenset({f"{SERVICE}/UnaryUnary"})) as running:
        await running.call("UnaryUnary", said("a"))
        async with fails(Reason.BAD_REQUEST):
            await running.call("UnaryUnary", said("refuse"))
        assert [line["reason"] for line in lines.lines] == ["BAD_REQUEST"]
        monkeypatch.setattr("shared.call.SLOW", 0.0)
        await running.call("UnaryUnary", said("a"))
        assert [line["reason"] for line in lines.lines] == ["BAD_REQUEST", None]
