"""The ways to a check that are compared: direct, through Envoy as gRPC and as REST, and in front of somebody's API."""

import http.client
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from google.protobuf import json_format

from benchmarks import people, questions
from benchmarks.http2 import JSON
from benchmarks.kinds import CHECK, PAIR, Kind, checks
from benchmarks.load import LoadFailed
from benchmarks.people import Person
from benchmarks.world import World, start, stop, wait_for
from protos.tenancy.v1.access_pb2 import CheckAccessResponse
from tenantry.gateway import envoy
from tenantry.gateway.settings import GatewaySettings
from tenantry.ports import free_port

BEHIND = PAIR | {"Envoy": "gateway"}
WAYS = [
    Kind("direct", "CheckAccess, direct", "tenancy", CHECK, checks, PAIR),
    Kind("grpc", "CheckAccess through Envoy, gRPC", "gateway", CHECK, checks, BEHIND),
    Kind("rest", "CheckAccess through Envoy, REST", "gateway", "/v1/access:checkAccess", checks, BEHIND),
    Kind("api", "an API behind Envoy with ext_authz", "gateway", "/", checks, BEHIND | {"API": "api"}),
    Kind("bare", "the same API behind a bare Envoy", "bare", "/", checks, {"Envoy": "bare", "API": "api"}),
]
TYPES = "type.googleapis.com/envoy.extensions.filters"
CONTAINERS = "/organizations/{organization_id}/projects/{project_id}/containers"


@contextmanager
def gateways(found: World) -> Iterator[None]:
    """Adds to the world an API, the gateway with its settings as they come, and an Envoy that only passes on."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="tenantry-bench-gateway-")))
        running: list[Any] = []
        stack.callback(stop, running)
        added = {name: f"127.0.0.1:{free_port()}" for name in ("gateway", "bare", "api")}

        api = start(["benchmarks.plain_api"], {"LISTEN_ADDRESS": added["api"]}, log=folder / "api.log")
        running.append(api)
        wait_for(added["api"], api)
        apis = folder / "apis.toml"
        apis.write_text(
            f'[[api]]\nname = "plain"\naddress = "{added["api"]}"\n'
            f'[[api.route]]\nmethod = "GET"\npath = "{CONTAINERS}"\npermission = "{people.PERMISSION}"\n'
        )
        settings = {
            "GATEWAY_ADDRESS": added["gateway"],
            "IDENTITY_ADDRESSES": found.addresses["identity"],
            "TENANCY_ADDRESSES": found.addresses["tenancy"],
            "GATEWAY_APIS": apis,
        }
        chosen = GatewaySettings.model_validate(settings)
        gateway = envoy.start(chosen, folder / "gateway", folder / "gateway.log")
        running.append(gateway)
        configuration = folder / "bare.json"  # which is YAML too
        configuration.write_text(json.dumps(passing_on(added["bare"], added["api"])))
        with (folder / "bare.log").open("ab") as lines:
            command = [envoy.program(), "-c", str(configuration), "--disable-hot-restart", "--log-level", "warning"]
            bare = subprocess.Popen(command, stdout=lines, stderr=lines)
        running.append(bare)
        wait_for(added["bare"], bare)
        if not envoy.wait_until_ready(gateway, chosen):
            raise LoadFailed(f"the gateway did not start: {(folder / 'gateway.log').read_text()[-1000:]}")
        found.addresses.update(added)
        found.processes.update({"api": [api.pid], "gateway": [gateway.pid], "bare": [bare.pid]})
        yield


def passing_on(address: str, upstream: str) -> dict[str, Any]:
    """The configuration of an Envoy with nothing but the router."""
    router = {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{TYPES}.http.router.v3.Router"}}
    everything = {"match": {"prefix": "/"}, "route": {"cluster": "api"}}
    http = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bare",
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [everything]}]},
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}]
    endpoint = {"endpoint": {"address": socket_address(upstream)}}
    cluster = {"name": "api", "load_assignment": {"cluster_name": "api", "endpoints": [{"lb_endpoints": [endpoint]}]}}
    listener = {"name": "bare", "address": socket_address(address), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def socket_address(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def plan(found: World, way: Kind) -> dict[str, Any]:
    """Of benchmarks/generator.py: the same 1,000 people each way, but that an API lets in only those who may."""
    if way.name in ("direct", "grpc"):
        return questions.plan(found, way)
    everybody = people.some(found)
    if way.name == "rest":
        requests = rest(found.addresses[way.server], way.method, everybody)
    else:
        # The bare one lets everybody say who they are.
        requests = [
            {
                "body": "",
                "headers": each.bearer if way.name == "api" else {"x-user-id": each.user_id},
                "answer": questions.text(b'{"user": "%s"}' % each.user_id.encode()),
                "path": CONTAINERS.format(organization_id=each.organization_id, project_id=each.project_id),
            }
            for each in everybody
            if each.answer().allowed
        ]
    return {
        "address": found.addresses[way.server],
        "method": way.method,
        "content_type": JSON,
        "requests": requests,
    }


def rest(address: str, path: str, everybody: list[Person]) -> list[dict[str, Any]]:
    """Each is asked once beforehand, and its answer looked at as a message."""
    connection = http.client.HTTPConnection(address, timeout=10)
    requests = []
    for each in everybody:
        body = json_format.MessageToJson(each.check(), indent=None).encode()
        connection.request("POST", path, body, {**each.bearer, "content-type": JSON})
        answer = connection.getresponse().read()
        told = json_format.Parse(answer, CheckAccessResponse())
        told.reason = ""
        if told != each.answer():
            raise LoadFailed(f"a wrong answer over REST: {answer!r:.300}")
        requests.append({"body": questions.text(body), "headers": each.bearer, "answer": questions.text(answer)})
    connection.close()
    return requests
