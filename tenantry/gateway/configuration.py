"""Envoy's configuration: gateway/envoy.yaml filled in."""

import re
from base64 import b64encode
from pathlib import Path
from typing import Any

from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.errors import ServiceError, status_message
from shared.reasons import DOMAIN, Reason
from tenantry.gateway import descriptors
from tenantry.gateway.apis import read_apis
from tenantry.gateway.pages import LARGEST, PAGES, POLICY
from tenantry.gateway.settings import GatewaySettings
from tenantry.project import CODE

PAIR = ("identity", "tenancy")
# What only the gateway may say, and a service's key, which has no business coming from outside.
STRIPPED = ("x-user-id", "x-organization-role", "x-project-role", "x-set-session-cookie", "x-service-key",
            "x-forwarded-user-agent", "x-envoy-original-path", "x-envoy-original-method")  # fmt: skip
# RPCs that change nothing, by their names (AIP-131, 132 and 231, and verbs of ours): they may be asked again.
READS = r"/{package}\.v1\.\w+/(Batch)?(Get|List|LookUp|Check|Explain|Validate)\w*"
MOST_CALLS = 320  # to a worker at a time: MAX_CALLS_UNDER_WAY as it comes, and a quarter of it for all others
RETRY_AFTER = 1  # seconds
RETRY_INFO = {"@type": f"type.googleapis.com/{RetryInfo.DESCRIPTOR.full_name}", "retryDelay": f"{RETRY_AFTER}s"}
# By HTTP status, what Envoy answers by itself.
OWN_ERRORS = {
    400: Reason.MALFORMED_REQUEST,
    403: Reason.CROSS_SITE_WRITE,
    404: Reason.PATH_UNKNOWN,
    408: Reason.DEADLINE_EXCEEDED,
    413: Reason.REQUEST_TOO_LARGE,
    415: Reason.MALFORMED_REQUEST,
    426: Reason.MALFORMED_REQUEST,
    431: Reason.REQUEST_TOO_LARGE,
    500: Reason.INTERNAL,
    502: Reason.SERVICE_UNAVAILABLE,
    503: Reason.SERVICE_UNAVAILABLE,
    504: Reason.DEADLINE_EXCEEDED,
}


def write(settings: GatewaySettings, folder: Path) -> Path:
    """The configuration and the contracts, into the folder; Failure if the file of APIs is not right."""
    contracts = folder / "api.binpb"
    contracts.write_bytes(descriptors.descriptor_set())
    configuration = folder / "envoy.yaml"
    configuration.write_text(text(settings, folder, contracts))
    return configuration


def text(settings: GatewaySettings, folder: Path, contracts: Path) -> str:
    apis = read_apis(settings.apis) if settings.apis else []
    routes = [
        {
            "cluster": api.cluster,
            "pattern": route.pattern,
            "method": route.method,
            "context_extensions": route.context_extensions,
        }
        for api in apis
        for route in api.route
    ]
    environment = Environment(  # noqa: S701  YAML, and every value is written as JSON
        loader=FileSystemLoader(CODE / "gateway"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment.get_template("envoy.yaml").render(
        host=settings.address.host,
        port=settings.address.port,
        folder=str(folder),
        pair=PAIR,
        addresses={"identity": settings.identity, "tenancy": settings.tenancy},
        pages=PAGES,
        page_policy=POLICY,
        largest_page=LARGEST,
        apis=apis,
        api_routes=routes,
        origins=[*settings.own_origins, *settings.origins],
        certificate=str(settings.certificate or ""),
        private_key=str(settings.private_key or ""),
        over_tls=settings.over_tls,
        trusted_hops=settings.trusted_hops,
        cookie_pattern=rf"(.*[;,])?\s*(__Host-)?{re.escape(settings.session_cookie_name.removeprefix('__Host-'))}=.*",
        stripped_headers=STRIPPED,
        most_calls=MOST_CALLS,
        retry_after=RETRY_AFTER,
        overloaded=as_json(Reason.OVERLOADED, RETRY_INFO),
        overloaded_details=details_in_grpc(ServiceError(Reason.OVERLOADED, retry_after=RETRY_AFTER)),
        own_errors={status: as_json(reason) for status, reason in OWN_ERRORS.items()},
        descriptors=str(contracts),
        services=descriptors.services(),
        reads={package: READS.format(package=package) for package in PAIR},
    )


def details_in_grpc(error: ServiceError) -> str:
    """All that the services send of it, as gRPC writes bytes in a header."""
    return b64encode(status_message(error).SerializeToString()).decode().rstrip("=")


def as_json(reason: Reason, *more: dict[str, str]) -> dict[str, Any]:
    """A google.rpc.Status, as the services' errors come (AIP-193); `more` are details of it."""
    entry = reason.value
    message = f"{entry.happened} {entry.next_step}"
    if reason is Reason.MALFORMED_REQUEST:  # Envoy says what is wrong with it; of the rest it says less than we do
        message = "The request cannot be read. %LOCAL_REPLY_BODY%"
    information = {"@type": f"type.googleapis.com/{ErrorInfo.DESCRIPTOR.full_name}", "reason": reason.name}
    details = [information | {"domain": DOMAIN, "metadata": {}}, *more]
    return {"code": entry.code.value[0], "message": message, "details": details}
