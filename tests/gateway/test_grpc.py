"""gRPC and gRPC-Web through a real Envoy, CORS, and what is stripped from calls that come from outside."""

import base64
import json
import re

import httpx
import pytest

from protos.tenancy.v1.organizations_pb2 import ListOrganizationsRequest, ListOrganizationsResponse
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from shared.reasons import Reason
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails
from tests.gateway.conftest import ALLOWED_ORIGIN
from tests.gateway.gateways import Gateway

METHOD = "/tenancy.v1.OrganizationService/ListOrganizations"
NO_MESSAGE = b"\0\0\0\0\0"


async def test_native_grpc_goes_through_with_its_errors(gateway: Gateway, people: People) -> None:
    ada = await people.person()
    organization = await people.organization(ada)
    stub = OrganizationServiceStub(gateway.channel)
    answer = await stub.ListOrganizations(ListOrganizationsRequest(), metadata=ada.metadata)
    assert [each.organization_id for each in answer.organizations] == [organization]
    async with fails(Reason.SESSION_REQUIRED):
        await stub.ListOrganizations(ListOrganizationsRequest())


async def test_a_services_key_from_outside_is_nobodys(gateway: Gateway) -> None:
    async with fails(Reason.SESSION_REQUIRED):
        await OrganizationServiceStub(gateway.channel).ListOrganizations(
            ListOrganizationsRequest(), metadata=AS_OPERATOR
        )


@pytest.mark.parametrize("kind", ["application/grpc-web+proto", "application/grpc-web-text+proto"])
async def test_grpc_web_goes_through_binary_and_as_text(gateway: Gateway, people: People, kind: str) -> None:
    ada = await people.person()
    organization = await people.organization(ada)
    as_text = "text" in kind
    body = base64.b64encode(NO_MESSAGE) if as_text else NO_MESSAGE
    answer = await gateway.call("POST", METHOD, ada.token, content=body, headers={"content-type": kind, "accept": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    pieces = [base64.b64decode(piece) for piece in re.findall("[^=]+=*", answer.text)] if as_text else [answer.content]
    frames = b"".join(pieces)
    length = int.from_bytes(frames[1:5], "big")
    message = ListOrganizationsResponse.FromString(frames[5 : 5 + length])
    assert [each.organization_id for each in message.organizations] == [organization]
    assert b"grpc-status:0" in frames[5 + length :]


def preflight(origin: str) -> dict[str, str]:
    return {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-grpc-web",
    }


@pytest.mark.parametrize("path", [METHOD, "/v1/organizations"])
async def test_a_page_of_an_allowed_origin_may_call_and_another_may_not(gateway: Gateway, path: str) -> None:
    allowed = await gateway.call("OPTIONS", path, headers=preflight(ALLOWED_ORIGIN))
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert "x-grpc-web" in allowed.headers["access-control-allow-headers"]
    for foreign in ("https://evil.example", f"{ALLOWED_ORIGIN}.evil.example", "null"):
        refused = await gateway.call("OPTIONS", path, headers=preflight(foreign))
        assert "access-control-allow-origin" not in refused.headers


async def test_what_a_page_needs_is_exposed_to_it(gateway: Gateway) -> None:
    answer: httpx.Response = await gateway.call("GET", "/v1/organizations", headers={"origin": ALLOWED_ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    assert "grpc-status-details-bin" in answer.headers["access-control-expose-headers"]
    assert json.loads(answer.text)["code"] == 16
