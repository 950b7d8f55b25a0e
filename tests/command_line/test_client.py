"""The synchronous client: what it sends and how it takes answers, on grpcio-testing's channel and for real."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import grpc_testing  # type: ignore[import-untyped]
import pytest
from click import ClickException
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from protos.identity.v1 import users_pb2 as pb
from shared.errors import ServiceError, to_status
from shared.reasons import Reason
from tenantry import client
from tests.command_line.launched import Launched

SERVICE = pb.DESCRIPTOR.services_by_name["UserService"]
GET_USER = SERVICE.methods_by_name["GetUser"]
METHOD = "identity.v1.UserService/GetUser"
REQUEST = pb.GetUserRequest(user_id="1")


@contextmanager
def asked(channel: Any, **more: Any) -> Iterator["Future[pb.GetUserResponse]"]:
    """One call under way, in a thread."""
    with ThreadPoolExecutor(1) as threads:
        yield threads.submit(lambda: client.call(channel, METHOD, REQUEST, pb.GetUserResponse, **more))


@pytest.fixture
def channel() -> Any:
    return grpc_testing.channel([SERVICE], grpc_testing.strict_real_time())


def test_a_call_carries_its_request_and_metadata_and_gives_the_response(channel: Any) -> None:
    answer = pb.GetUserResponse(user=pb.User(email="ada@example.com"))
    with asked(channel, metadata=client.service_key("operator.secret")) as call:
        metadata, request, rpc = channel.take_unary_unary(GET_USER)
        rpc.terminate(answer, (), grpc.StatusCode.OK, "")
    assert request == REQUEST
    assert ("x-service-key", "operator.secret") in [tuple(pair) for pair in metadata]
    assert call.result() == answer


def test_a_refusal_keeps_its_text_and_reason_and_says_where_to_read_more(channel: Any) -> None:
    refusal = to_status(ServiceError(Reason.USER_NOT_FOUND))
    with asked(channel) as call:
        _, _, rpc = channel.take_unary_unary(GET_USER)
        rpc.terminate(None, refusal.trailing_metadata, refusal.code, refusal.details)
    failed = failure(call)
    assert (failed.code, failed.reason, failed.exit_code) == (grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND", 4)
    assert failed.message.endswith("USER_NOT_FOUND (NOT_FOUND)")
    assert failed.hint == "more:  tenantry errors USER_NOT_FOUND"


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED])
def test_nobody_there_is_3_and_says_how_to_look(channel: Any, code: grpc.StatusCode) -> None:
    with asked(channel) as call:
        _, _, rpc = channel.take_unary_unary(GET_USER)
        rpc.terminate(None, (), code, "ipv4:127.0.0.1:9: Failed to connect")
    failed = failure(call)
    assert failed.exit_code == 3
    assert failed.message == f"nobody answers there   {code.name}"
    assert failed.hint == "what runs, and where:  tenantry status"


def test_a_service_that_is_there_but_not_able_to_is_not_called_absent(channel: Any) -> None:
    status = Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message="The database does not answer.")
    status.details.add().Pack(ErrorInfo(reason="DATABASE_UNAVAILABLE", domain="tenantry"))
    told = rpc_status.to_status(status)
    with asked(channel) as call:
        _, _, rpc = channel.take_unary_unary(GET_USER)
        rpc.terminate(None, told.trailing_metadata, told.code, told.details)
    assert failure(call).message.startswith("The database does not answer.   DATABASE_UNAVAILABLE")


def test_an_error_without_details_of_ours_is_told_as_it_is(channel: Any) -> None:
    with asked(channel) as call:
        _, _, rpc = channel.take_unary_unary(GET_USER)
        rpc.terminate(None, (), grpc.StatusCode.INTERNAL, "internal error")
    assert (failure(call).message, failure(call).exit_code) == ("internal error   INTERNAL", 4)


def test_for_real_the_nearest_pair_is_asked_with_the_operators_key(
    up: Launched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENANTRY_DATA_DIR", str(up.folder))
    with client.as_operator("identity") as ask:
        made = ask(
            "identity.v1.UserService/CreateUser", pb.CreateUserRequest(email="real@example.com"), pb.CreateUserResponse
        )
        found = ask(METHOD, pb.GetUserRequest(user_id=made.user.user_id), pb.GetUserResponse)
        assert found == pb.GetUserResponse(user=made.user)
        with pytest.raises(ClickException, match="There is no such user"):
            ask(METHOD, pb.GetUserRequest(user_id="00000000-0000-7000-8000-000000000000"), pb.GetUserResponse)


def failure(call: "Future[pb.GetUserResponse]") -> client.CallFailed:
    error = call.exception()
    assert isinstance(error, client.CallFailed)
    return error
