"""What Envoy is to do with a request: pass it on with the caller's name and roles, or answer it with 401 or 403."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from protos.extauthz.v1.external_auth_pb2 import (
    CheckResponse,
    DeniedHttpResponse,
    HeaderValue,
    HeaderValueOption,
    HttpStatus,
    OkHttpResponse,
)
from shared.authentication import cookie_names
from shared.errors import ServiceError, status_message
from shared.reasons import Reason
from tenancy_service.check import Answer
from tenancy_service.edge_request import alike
from tenancy_service.permissions import ProjectRole

USER_ID, ORGANIZATION_ROLE, PROJECT_ROLE = "x-user-id", "x-organization-role", "x-project-role"
# Others would become something else in gRPC: 404 UNIMPLEMENTED, 500 UNKNOWN.
HTTP = {StatusCode.UNAUTHENTICATED: 401, StatusCode.PERMISSION_DENIED: 403}


def allowed(answer: Answer, headers: Mapping[str, str], cookie_removed: str | None) -> CheckResponse:
    """`cookie_removed` is the name of the session's cookie if the credential is not for the API, else None."""
    access = answer.access
    role = access.project_role if access else None
    response = CheckResponse()
    response.CopyFrom(
        _passed_on(
            access.organization_role.name if access and access.organization_role else None,
            role.name if role and role is not ProjectRole.NONE else None,
            tuple(alike(headers, USER_ID, ORGANIZATION_ROLE, PROJECT_ROLE)),
        )
    )
    ok = response.ok_response
    ok.headers.append(_set(USER_ID, answer.user_id))
    if cookie_removed is not None:
        _remove_credential(ok, headers, cookie_removed)
    return response


def denied(error: ServiceError, *, in_grpc: bool) -> CheckResponse:
    """The body is the error as REST has it, or its text alone, which Envoy makes the message of a gRPC status."""
    return _denied(error.reason, tuple(error.values.items()), in_grpc)


def is_grpc(headers: Mapping[str, str]) -> bool:
    """Whether the caller speaks it, and not REST that Envoy has turned into it."""
    return headers.get("content-type", "").startswith("application/grpc") and "x-envoy-original-method" not in headers


@lru_cache(maxsize=1000)
def _passed_on(organization_role: str | None, project_role: str | None, outside: tuple[str, ...]) -> CheckResponse:
    """`outside` are headers of the request that an API could read as ours."""
    roles = {ORGANIZATION_ROLE: organization_role, PROJECT_ROLE: project_role}
    ok = OkHttpResponse(headers=[_set(name, role) for name, role in roles.items() if role])
    ours = {USER_ID, *(name for name, role in roles.items() if role)}
    ok.headers_to_remove.extend(sorted({*roles, *outside} - ours))
    return CheckResponse(status=Status(code=StatusCode.OK.value[0]), ok_response=ok)


@lru_cache(maxsize=1000)
def _denied(reason: Reason, values: tuple[tuple[str, Any], ...], in_grpc: bool) -> CheckResponse:
    status = status_message(ServiceError(reason, **dict(values)))
    headers = [_set("content-type", "text/plain" if in_grpc else "application/json")]
    code = HTTP[reason.value.code]
    if code == 401:
        headers.append(_set("www-authenticate", "Bearer"))
    body = status.message if in_grpc else json.dumps(MessageToDict(status), separators=(",", ":"))
    return CheckResponse(
        status=Status(code=status.code),  # without it Envoy would let the request pass
        denied_response=DeniedHttpResponse(status=HttpStatus(code=code), headers=headers, body=body),
    )


def _remove_credential(ok: OkHttpResponse, headers: Mapping[str, str], cookie_name: str) -> None:
    ok.headers_to_remove.append("authorization")
    cookie = headers.get("cookie")
    if cookie is None:
        return
    if others := without_session(cookie, cookie_name):
        ok.headers.append(_set("cookie", others))
    else:
        ok.headers_to_remove.append("cookie")


def without_session(cookie: str, cookie_name: str) -> str:
    """The other cookies, as they were. A comma stands between two headers that Envoy has made one."""
    names = "|".join(map(re.escape, cookie_names(cookie_name)))
    ours = re.compile(rf"(?:^|,)\s*(?:{names})\s*(?:=|$)")
    return "; ".join(each.strip() for each in cookie.split(";") if each.strip() and not ours.search(each))


def _set(name: str, value: str) -> HeaderValueOption:
    """In place of all that the request or the answer has of that name."""
    return HeaderValueOption(
        header=HeaderValue(key=name, value=value), append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    )
