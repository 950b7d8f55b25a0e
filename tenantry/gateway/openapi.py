"""Make docs/openapi.json from the contracts: python -m tenantry.gateway.openapi"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from google.api.annotations_pb2 import http
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from identity_service.access_policy import POLICY as IDENTITY
from shared.access_rules import Rule
from tenancy_service.access_policy import POLICY as TENANCY
from tenantry.gateway import schemas
from tenantry.gateway.contracts import Contracts, read
from tenantry.gateway.examples import EXAMPLES
from tenantry.gateway.rest_errors import STATUS, default_answer
from tenantry.project import CODE

DOCUMENT = CODE / "docs" / "openapi.json"
# Beside each other as `make protos` writes them.
DESCRIPTORS = CODE / "build" / "api.binpb"
POLICY = IDENTITY | TENANCY
# In which order a newcomer meets them.
SERVICES = (
    "identity.v1.SessionService",
    "identity.v1.UserService",
    "identity.v1.FactorService",
    "tenancy.v1.OrganizationService",
    "tenancy.v1.OrganizationMemberService",
    "tenancy.v1.InvitationService",
    "tenancy.v1.ProjectService",
    "tenancy.v1.ProjectMemberService",
    "tenancy.v1.AccessService",
    "identity.v1.AuditService",
    "tenancy.v1.AuditService",
)

Json = dict[str, Any]

ABOUT = """Users, sessions, organizations, projects and roles. The same calls as over gRPC, as JSON: the names of fields
are in camelCase, 64-bit integers are strings, and what has its default value may be left out. Only people call here,
signed in or not: what is for services alone goes over gRPC.

Sign in with `POST /v1/sessions`. Then send the token as `authorization: Bearer <token>`, or let the browser send the
cookie which that answer sets."""
SECURITY: Json = {
    "session": {"type": "http", "scheme": "bearer", "description": "The `token` of `POST /v1/sessions`."},
    "session_cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "connect.sid",
        "description": "Set by `POST /v1/sessions`; over TLS its name is `__Host-connect.sid` (SESSION_COOKIE_NAME). "
        "Calls that change something then need an `origin` on the allow list or the header `x-requested-with`.",
    },
}


def document(files: FileDescriptorSet) -> Json:
    contracts = read(files)
    paths: dict[str, Json] = {}
    with_path = {rpc: each for rpc, each in contracts.rpcs.items() if each.options.HasExtension(http)}
    for rpc in sorted(with_path, key=lambda rpc: SERVICES.index(rpc.rpartition(".")[0])):
        rule = with_path[rpc].options.Extensions[http]
        for number, binding in enumerate([rule, *rule.additional_bindings], start=1):
            verb = binding.WhichOneof("pattern")
            path = re.sub(r"{(?:\w+\.)*(\w+)}", r"{\1}", getattr(binding, verb))
            paths.setdefault(path, {})[verb] = operation(contracts, rpc, binding, number)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tenantry",
            "version": "v1",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in SECURITY],
        "tags": [{"name": name, "description": contracts.comments[name]} for name in SERVICES],
        "paths": paths,
        "components": {
            "schemas": schemas.schemas(contracts, [paths]) | {"google.rpc.Status": STATUS},
            "securitySchemes": SECURITY,
        },
    }


def operation(contracts: Contracts, rpc: str, binding: HttpRule, number: int) -> Json:
    service, _, name = rpc.rpartition(".")
    rule: Rule = POLICY[f"{service}/{name}"]
    comment = contracts.comments[rpc]
    identifier = operation_id(contracts, service, name) + (f"_{number}" if number > 1 else "")
    found: Json = {
        "operationId": identifier,
        "summary": name,
        "description": comment,
        "tags": [service],
    }
    if rule.public:
        found["security"] = []
    parameters = list(path_parameters(contracts, rpc, binding)) + list(query_parameters(contracts, rpc, binding))
    if parameters:
        found["parameters"] = parameters
    if binding.body:
        content = json_of(body(contracts, rpc, binding), example=EXAMPLES.get(identifier, {}))
        found["requestBody"] = {**content, "required": True}
    answer = schemas.reference(contracts.rpcs[rpc].output_type)
    found["responses"] = {
        "200": {"description": "Done.", **json_of(answer)},
        "default": default_answer(
            rpc,
            rule,
            comment,
            is_write=binding.WhichOneof("pattern") != "get",
            has_request_id="request_id" in fields_of(contracts, rpc),
        ),
    }
    return found


def fields_of(contracts: Contracts, rpc: str) -> set[str]:
    """Of the request."""
    return {field.name for field in contracts.messages[contracts.rpcs[rpc].input_type.removeprefix(".")].field}


def operation_id(contracts: Contracts, service: str, name: str) -> str:
    """`UserService_GetUser`; where both packages have such a service, the package's first word leads."""
    package, _, short = service.rpartition(".")
    count = Counter(each.rpartition(".")[2] for each in contracts.services)
    return f"{package.partition('.')[0]}_{short}_{name}" if count[short] > 1 else f"{short}_{name}"


def json_of(schema: Json, **more: Json) -> Json:
    return {"content": {"application/json": {"schema": schema, **more}}}


def in_path(binding: HttpRule) -> list[str]:
    """The fields that stand in the path, with dots as in `user.user_id`."""
    return re.findall(r"{([\w.]+)}", getattr(binding, binding.WhichOneof("pattern")))


def path_parameters(contracts: Contracts, rpc: str, binding: HttpRule) -> Iterator[Json]:
    """By the last part of their names: `/v1/users/{user.user_id}` and `/v1/users/{user_id}` are one path."""
    for place in in_path(binding):
        owner = contracts.rpcs[rpc].input_type.removeprefix(".")
        *parents, last = place.split(".")
        for parent in parents:
            owner = next(each for each in contracts.messages[owner].field if each.name == parent).type_name[1:]
        described = next(each for each in contracts.messages[owner].field if each.name == last)
        yield {"name": last, "in": "path", "required": True, **parameter(contracts, owner, described)}


def query_parameters(contracts: Contracts, rpc: str, binding: HttpRule) -> Iterator[Json]:
    """What is neither in the path nor in the body, nor left out because of a oneof."""
    if binding.body == "*":
        return
    owner = contracts.rpcs[rpc].input_type.removeprefix(".")
    fields = contracts.messages[owner].field
    elsewhere = {binding.body, *in_path(binding)}
    decided = {each.oneof_index for each in fields if each.HasField("oneof_index") and each.name in elsewhere}
    for described in fields:
        is_decided = described.HasField("oneof_index") and described.oneof_index in decided
        if described.name not in elsewhere and not is_decided:
            yield {"name": described.json_name, "in": "query", **parameter(contracts, owner, described)}


def parameter(contracts: Contracts, owner: str, described: Any) -> Json:
    schema = schemas.field(contracts, owner, described)
    text = schema.pop("description", None)
    schema.pop("readOnly", None)  # in the path it is what is asked for
    return ({"description": text} if text else {}) | {"schema": schema}


def body(contracts: Contracts, rpc: str, binding: HttpRule) -> Json:
    owner = contracts.rpcs[rpc].input_type.removeprefix(".")
    if binding.body == "*":
        return schemas.message(contracts, owner, without=in_path(binding))
    return schemas.value(next(each for each in contracts.messages[owner].field if each.name == binding.body))


def shown(made: Json) -> str:
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(shown(document(FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()))))
