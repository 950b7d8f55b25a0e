"""Errors over HTTP: which status each reason has, and google.rpc.Status with its details as JSON Schema."""

import re
from collections import defaultdict
from typing import Any

from grpc import StatusCode

from shared.access_rules import Rule
from shared.reasons import DOMAIN, Reason
from tenantry.gateway.configuration import OWN_ERRORS

Json = dict[str, Any]

# As Envoy turns gRPC's codes into statuses; google/rpc/code.proto says the same.
HTTP_STATUSES = {
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ABORTED: 409,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.INTERNAL: 500,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 504,
}
EVERYWHERE = {
    Reason.BAD_REQUEST,
    Reason.OVERLOADED,
    Reason.DATABASE_BUSY,
    Reason.INTERNAL,
    Reason.DATABASE_UNAVAILABLE,
    Reason.DEADLINE_EXCEEDED,
}
SIGNED_IN = {Reason.SESSION_REQUIRED, Reason.SESSION_INVALID, Reason.PERMISSION_DENIED}
# What Envoy may answer by itself on a path that there is.
OF_THE_GATEWAY = (400, 413, 431, 503)
CROSS_SITE = 403


def default_answer(rpc: str, rule: Rule, comment: str, *, is_write: bool, has_request_id: bool) -> Json:
    """`rpc` by its full name; `comment` is the contract's and names what this RPC alone may answer."""
    of_the_services = reasons(rpc, rule, comment) | ({Reason.CONFLICT} if is_write else set())
    of_the_services |= {Reason.REQUEST_ID_REUSED} if has_request_id else set()
    told = {(HTTP_STATUSES[reason.value.code], reason) for reason in of_the_services}
    told |= {(status, OWN_ERRORS[status]) for status in (*OF_THE_GATEWAY, *([CROSS_SITE] if is_write else []))}
    return {
        "description": f"An error; `reason` of its ErrorInfo says which:\n\n{by_status(told)}",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/google.rpc.Status"}}},
    }


def reasons(rpc: str, rule: Rule, comment: str) -> set[Reason]:
    """Of the services, whatever is sent."""
    named = {Reason[name] for name in re.findall(r"\b[A-Z_]+\b", comment) if name in Reason.__members__}
    found = EVERYWHERE | named | (set() if rule.public else SIGNED_IN)
    asks_identity = rpc.startswith("tenancy.")
    return found | ({Reason.IDENTITY_UNAVAILABLE} if asks_identity else set())


def by_status(told: set[tuple[int, Reason]]) -> str:
    """One line of a list for each HTTP status."""
    groups = defaultdict(list)
    for status, reason in told:
        groups[status].append(reason)
    order = list(Reason)
    return "\n".join(
        f"- {status}: {', '.join(reason.name for reason in sorted(groups[status], key=order.index))}"
        for status in sorted(groups)
    )


def detail(name: str, description: str, **properties: Json) -> Json:
    """google.protobuf.Any in JSON: the message's fields beside its type."""
    kind = {"const": f"type.googleapis.com/google.rpc.{name}"}
    return {
        "type": "object",
        "title": name,
        "description": description,
        "properties": {"@type": kind, **properties},
        "required": ["@type"],
    }


def text(description: str) -> Json:
    return {"type": "string", "description": description}


def list_of(**properties: Json) -> Json:
    return {"type": "array", "items": {"type": "object", "properties": properties}}


DETAILS = [
    detail(
        "ErrorInfo",
        "With every error.",
        reason=text("What happened; branch on it, it is never renamed. `docs/errors.md` has them all.")
        | {"examples": ["SLUG_TAKEN"]},
        domain=text("Who gave the error that reason.") | {"const": DOMAIN},
        metadata={
            "type": "object",
            "description": "What fills the braces of the reason's texts.",
            "additionalProperties": {"type": "string"},
        },
    ),
    detail("Help", "Where to read about the reason.", links=list_of(description=text("Its name."), url=text("Where."))),
    detail(
        "BadRequest",
        "Every field that is wrong.",
        fieldViolations=list_of(field=text("As the contract names it."), description=text("What is wrong with it.")),
    ),
    detail(
        "QuotaFailure",
        "Which quota is used up.",
        violations=list_of(subject=text("Whose, such as `organization:<id>`."), description=text("What is full.")),
    ),
    detail("RetryInfo", "When to try again.", retryDelay=text("In seconds, such as `1.5s`.")),
]
STATUS: Json = {
    "type": "object",
    "description": "An error (AIP-193).",
    "properties": {
        "code": {"type": "integer", "format": "int32", "description": "gRPC's code, such as 6 for ALREADY_EXISTS."},
        "message": text("For people; it may change."),
        "details": {"type": "array", "items": {"oneOf": DETAILS}, "description": "ErrorInfo is among them."},
    },
    "required": ["code", "message"],
}
