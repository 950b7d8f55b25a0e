"""The one expected failure, and the one place that turns it into a status on the wire."""

from collections.abc import Mapping

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from shared.reasons import DOMAIN, Reason


class ServiceError(Exception):
    """A failure the caller is told about. Everything else becomes a bare INTERNAL.

    `fields` are (path, what is wrong) pairs for BadRequest, `retry_after` is in seconds, `quota_of` is the subject of
    a QuotaFailure, such as organization:<id>, and `values` fill the braces of the reason's texts; they also go into
    ErrorInfo's metadata, so they hold no secrets.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        fields: tuple[tuple[str, str], ...] = (),
        retry_after: float | None = None,
        quota_of: str | None = None,
        **values: str,
    ) -> None:
        self.reason, self.fields, self.retry_after, self.values = reason, fields, retry_after, values
        self.quota_of = quota_of
        super().__init__(f"{reason.name}: {self.message}")

    @property
    def code(self) -> grpc.StatusCode:
        return self.reason.value.code

    @property
    def message(self) -> str:
        entry = self.reason.value
        filled: Mapping[str, str] = self.values
        if self.fields:
            filled = {"violations": "; ".join(f"{path}: {wrong}" for path, wrong in self.fields)}
        return f"{entry.happened} {entry.next_step}".format_map(filled)

    def fresh(self) -> "ServiceError":
        """A copy to raise for another caller: one shared instance would gather all their tracebacks."""
        return ServiceError(
            self.reason, fields=self.fields, retry_after=self.retry_after, quota_of=self.quota_of, **self.values
        )


def to_status(error: ServiceError) -> grpc.Status:
    return rpc_status.to_status(status_message(error))


def status_message(error: ServiceError) -> Status:
    """With ErrorInfo and Help always, the other details where they fit (AIP-193)."""
    reason = error.reason.name
    status = Status(code=error.code.value[0], message=error.message)
    status.details.add().Pack(details.ErrorInfo(reason=reason, domain=DOMAIN, metadata=error.values))
    link = details.Help.Link(description=f"About {reason}", url=f"docs/errors.md#{reason}")
    status.details.add().Pack(details.Help(links=[link]))
    if error.fields:
        violations = [details.BadRequest.FieldViolation(field=path, description=wrong) for path, wrong in error.fields]
        status.details.add().Pack(details.BadRequest(field_violations=violations))
    if error.quota_of is not None:
        violation = details.QuotaFailure.Violation(subject=error.quota_of, description=error.reason.value.happened)
        violation.description = violation.description.format_map(error.values)
        status.details.add().Pack(details.QuotaFailure(violations=[violation]))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        status.details.add().Pack(details.RetryInfo(retry_delay=delay))
    return status
