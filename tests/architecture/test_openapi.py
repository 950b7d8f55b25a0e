"""docs/openapi.json: made from the contracts as they are, valid, and with every RPC that has a path."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from google.api.annotations_pb2 import http
from openapi_spec_validator import OpenAPIV31SpecValidator

import identity_service.server
import tenancy_service.server
from protos.generate import describe
from shared.reasons import Reason
from tenantry.gateway.openapi import DOCUMENT, document, shown
from tenantry.gateway.rest_errors import HTTP_STATUSES

API: dict[str, Any] = json.loads(DOCUMENT.read_text())
OPERATIONS = {
    operation["operationId"]: operation for methods in API["paths"].values() for operation in methods.values()
}


def test_the_document_is_current(tmp_path: Path) -> None:
    assert DOCUMENT.read_text() == shown(document(describe(tmp_path))), "write it anew: make protos"


def test_it_is_openapi() -> None:
    OpenAPIV31SpecValidator(API).validate()


@pytest.mark.parametrize("server", [identity_service.server, tenancy_service.server], ids=["identity", "tenancy"])
def test_every_rpc_with_a_path_is_in_it_and_no_other(server: Any) -> None:
    with_path = {
        f"{service.full_name}/{rpc.name}"
        for service in server.SERVICES
        for rpc in service.methods
        if rpc.GetOptions().HasExtension(http)
    }
    told = {f"{operation['tags'][0]}/{operation['summary']}" for operation in OPERATIONS.values()}
    package = next(iter(with_path)).partition(".")[0]
    assert {name for name in told if name.startswith(f"{package}.")} == with_path


def test_parameters_are_named_without_dots() -> None:
    """To many tools `user.user_id` is no name, and `{user_id}` and `{user.user_id}` are two paths."""
    assert [path for path in API["paths"] if re.search(r"{[^}]*\.", path)] == []
    [user_id, *_] = OPERATIONS["UserService_UpdateUser"]["parameters"]
    assert (user_id["name"], user_id["in"], user_id["required"]) == ("user_id", "path", True)


def test_what_stands_in_the_path_stands_nowhere_else() -> None:
    operation = OPERATIONS["OrganizationMemberService_UpdateOrganizationMember"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["organization_id", "user_id"]
    assert {"role", "updateMask"} <= body["properties"].keys()
    assert not {"organizationId", "userId"} & body["properties"].keys()


def test_each_way_to_an_rpc_is_an_operation_of_its_own() -> None:
    """By a slug: the id, the other side of the oneof, cannot be sent with it."""
    paths = {path for path, methods in API["paths"].items() if methods.get("get", {}).get("summary") == "GetProject"}
    assert paths == {"/v1/projects/{project_id}", "/v1/organizations/{organization_id}/projects/slug/{slug}"}
    assert [each["name"] for each in OPERATIONS["OrganizationService_GetOrganization_2"]["parameters"]] == ["slug"]


def test_integers_that_a_double_does_not_hold_are_strings() -> None:
    schema = API["components"]["schemas"]["tenancy.v1.DeleteProjectResponse"]
    assert schema["properties"]["changeCount"]["type"] == "string"


def test_an_error_is_told_with_the_reasons_of_its_rpc() -> None:
    told = OPERATIONS["OrganizationService_CreateOrganization"]["responses"]["default"]["description"]
    for line in ("- 409: SLUG_TAKEN, CONFLICT\n", "- 404: USER_NOT_FOUND\n", "QUOTA_EXCEEDED", "- 401: SESSION_"):
        assert line in told
    assert "SESSION_REQUIRED" not in OPERATIONS["UserService_SignUp"]["responses"]["default"]["description"]


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_every_reason_has_a_status_over_http(reason: Reason) -> None:
    assert reason.value.code in HTTP_STATUSES


def test_only_what_is_public_needs_no_credential() -> None:
    assert {name for name, operation in OPERATIONS.items() if operation.get("security") == []} == {
        "SessionService_CreateSession",
        "UserService_SignUp",
        "UserService_StartEmailVerification",
        "UserService_FinishEmailVerification",
        "UserService_StartPasswordReset",
        "UserService_FinishPasswordReset",
    }


@pytest.mark.parametrize("name", [name for name, each in OPERATIONS.items() if "requestBody" in each])
def test_the_example_of_a_body_has_what_is_required_and_nothing_that_is_not_there(name: str) -> None:
    told = OPERATIONS[name]["requestBody"]["content"]["application/json"]
    schema = told["schema"]
    if "$ref" in schema:
        schema = API["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    assert set(schema.get("required", [])) <= told["example"].keys() <= schema["properties"].keys()


def test_what_only_answers_hold_is_not_asked_for() -> None:
    organization = API["components"]["schemas"]["tenancy.v1.Organization"]["properties"]
    assert {name for name, schema in organization.items() if not schema.get("readOnly")} == {
        "slug", "displayName", "defaultProjectRole", "etag", "publicMetadata", "privateMetadata",
    }  # fmt: skip
