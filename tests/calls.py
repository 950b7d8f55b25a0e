"""What tests say about calls: whom they come from, and how they fail."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from shared.reasons import Reason


@dataclass
class Failure:
    """What the caller was told; filled in when the block of `fails` has ended."""

    code: grpc.StatusCode | None = None
    message: str = ""
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    help: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    quota_of: str = ""
    raw: bytes = b""


@asynccontextmanager
async def fails(reason: Reason) -> AsyncIterator[Failure]:
    """The call in the block must fail with this reason, its code, and a link to its documentation."""
    failure = Failure()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        yield failure
    read(caught.value, failure)
    assert failure.reason == reason.name, failure
    assert failure.code is reason.value.code
    assert failure.help == f"docs/errors.md#{reason.name}"


def read(error: grpc.aio.AioRpcError, failure: Failure | None = None) -> Failure:
    """An error as a client sees it."""
    failure = failure or Failure()
    failure.code, failure.message = error.code(), error.details() or ""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None, f"no google.rpc.Status in {error}"
    failure.raw = status.SerializeToString(deterministic=True)
    for detail in status.details:
        if info := unpack(detail, error_details_pb2.ErrorInfo):
            failure.reason, failure.metadata = info.reason, dict(info.metadata)
            assert info.domain == "tenantry"
        elif links := unpack(detail, error_details_pb2.Help):
            failure.help = links.links[0].url
        elif bad := unpack(detail, error_details_pb2.BadRequest):
            failure.fields = {violation.field: violation.description for violation in bad.field_violations}
        elif quota := unpack(detail, error_details_pb2.QuotaFailure):
            failure.quota_of = quota.violations[0].subject
        elif retry := unpack(detail, error_details_pb2.RetryInfo):
            failure.retry_after = retry.retry_delay.ToMilliseconds() / 1000
    return failure


def unpack(detail: Any, kind: Any) -> Any:
    message = kind()
    return message if detail.Unpack(message) else None


async def outcome(call: Awaitable[Message]) -> bytes:
    """All that a caller can see of an answer or an error, as bytes to compare."""
    try:
        return b"OK " + (await call).SerializeToString(deterministic=True)
    except grpc.aio.AioRpcError as error:
        return read(error).raw


async def code(call: Awaitable[object]) -> str:
    """OK, or the name of the status code."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"
