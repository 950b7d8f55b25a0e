"""envoy.service.auth.v3.Authorization, as Envoy calls it: who gets through, what the API is told, what is refused."""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from pydantic import SecretStr

from protos.extauthz.v1 import external_auth_pb2 as pb
from protos.extauthz.v1.external_auth_pb2_grpc import AuthorizationStub
from protos.identity.v1.sessions_pb2 import RevokeSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.tenancy.v1.access_pb2 import CheckAccessRequest
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from shared.reasons import Reason
from tenancy_service.permissions import OrgRole, ProjectRole
from tenantry.testing.pair import Pair, running_tenancy
from tenantry.testing.people import People
from tests.calls import code, fails
from tests.matrix import nobodies
from tests.proxy import Proxy
from tests.tenancy.edge_requests import READ, Dashboard, a_dashboard, bearer, edge_request, passed_on, refused

NOTHING = str(uuid4())


@pytest.fixture(scope="module")
async def world(people: People) -> Dashboard:
    return await a_dashboard(people)


@pytest.fixture(scope="module")
def edge(tenancy: grpc.aio.Channel) -> AuthorizationStub:
    return AuthorizationStub(tenancy)


async def test_who_may_gets_through_with_name_and_roles(edge: AuthorizationStub, world: Dashboard) -> None:
    for person, roles in (
        (world.ada, {"x-organization-role": "OWNER", "x-project-role": "ADMIN"}),
        (world.bo, {"x-organization-role": "MEMBER", "x-project-role": "VIEWER"}),
        (world.cy, {"x-organization-role": "MEMBER", "x-project-role": "EDITOR"}),
    ):
        headers, removed = passed_on(await edge.Check(edge_request(world.path, bearer(person), **READ)))
        assert headers == {"x-user-id": person.user_id, **roles}
        assert removed == set()


async def test_who_may_not_is_told_no_more_than_that(edge: AuthorizationStub, world: Dashboard) -> None:
    update = READ | {"permission": "project:update"}
    too_low = await edge.Check(edge_request(world.path, bearer(world.cy), **update))
    hidden = await edge.Check(edge_request(world.path, bearer(world.zoe), **update))
    absent = await edge.Check(edge_request(f"/projects/{NOTHING}/containers", bearer(world.ada), **update))
    assert refused(too_low) == (403, "PERMISSION_DENIED")
    assert too_low == hidden == absent


async def test_a_permission_of_the_organization(edge: AuthorizationStub, world: Dashboard) -> None:
    for place in ({"organization": "header:x-acme"}, {"project": "path:2"}):
        rule = {"permission": "members:update", **place}
        headers, _ = passed_on(await edge.Check(edge_request(world.path, bearer(world.ada, x_acme=world.acme), **rule)))
        assert headers["x-organization-role"] == "OWNER"
        request = edge_request(world.path, bearer(world.bo, x_acme=world.acme), **rule)
        assert refused(await edge.Check(request)) == (403, "PERMISSION_DENIED")


async def test_both_ids_must_fit(edge: AuthorizationStub, people: People, world: Dashboard) -> None:
    other = await people.organization(world.ada)
    rule = READ | {"organization": "query:organization_id"}
    right = edge_request(f"{world.path}?organization_id={world.acme}", bearer(world.ada), **rule)
    passed_on(await edge.Check(right))
    wrong = edge_request(f"{world.path}?organization_id={other}", bearer(world.ada), **rule)
    assert refused(await edge.Check(wrong)) == (403, "PERMISSION_DENIED")


async def test_without_a_permission_a_session_is_enough(edge: AuthorizationStub, world: Dashboard) -> None:
    spoofed = bearer(world.zoe, x_organization_role="OWNER") | {"x_user_id": "somebody", "x-project_role": "ADMIN"}
    headers, removed = passed_on(await edge.Check(edge_request("/me", spoofed)))
    assert headers == {"x-user-id": world.zoe.user_id}
    assert removed == {"x-organization-role", "x-project-role", "x_user_id", "x-project_role"}
    headers, removed = passed_on(await edge.Check(edge_request(world.path, bearer(world.zoe), project="path:2")))
    assert (headers, removed) == ({"x-user-id": world.zoe.user_id}, {"x-organization-role", "x-project-role"})
    headers, _ = passed_on(await edge.Check(edge_request(world.path, bearer(world.cy), project="path:2")))
    assert headers["x-project-role"] == "EDITOR"
    assert refused(await edge.Check(edge_request("/me"))) == (401, "SESSION_REQUIRED")


async def test_every_kind_of_caller_hears_what_check_access_says(pair: Pair, people: People, world: Dashboard) -> None:
    """The credential is in the message; those of the call itself change nothing."""
    edge, access = AuthorizationStub(pair.tenancy.channel), AccessServiceStub(pair.tenancy.channel)
    callers = await nobodies(pair, people) | {
        name: getattr(world, name).metadata for name in ("ada", "bo", "cy", "zoe")
    }
    allowed = []
    for who, metadata in callers.items():
        request = edge_request(world.path, dict(metadata), **READ)
        response = await edge.Check(request)
        assert response == await edge.Check(request, metadata=world.ada.metadata)
        question = CheckAccessRequest(project_id=world.api, permission="project:read")
        session = tuple(each for each in metadata if each[0] == "authorization")
        if await code(access.CheckAccess(question, metadata=session)) == "UNAUTHENTICATED":
            assert refused(response)[0] == 401, who
            continue
        answer = await access.CheckAccess(question, metadata=session)
        if not answer.allowed:
            assert refused(response) == (403, "PERMISSION_DENIED"), who
            continue
        allowed.append(who)
        assert passed_on(response)[0] == {
            "x-user-id": answer.user_id,
            "x-organization-role": OrgRole(answer.organization_role).name,
            "x-project-role": ProjectRole(answer.project_role).name,
        }
    assert allowed == ["ada", "bo", "cy"]


async def test_the_very_next_request_sees_a_change(pair: Pair, people: People, world: Dashboard) -> None:
    edge, sessions = AuthorizationStub(pair.tenancy.channel), SessionServiceStub(pair.identity.channel)
    for _ in range(8):
        bo = await people.session(world.bo)
        request = edge_request(world.path, bearer(bo), **READ)
        passed_on(await edge.Check(request))
        await people.set_role(world.api, bo, "NONE", world.ada)
        assert refused(await edge.Check(request)) == (403, "PERMISSION_DENIED")
        await people.set_role(world.api, bo, "VIEWER", world.ada)
        passed_on(await edge.Check(request))
        await sessions.RevokeSession(RevokeSessionRequest(), metadata=bo.metadata)
        assert refused(await edge.Check(request)) == (401, "SESSION_INVALID")


async def test_native_grpc_is_refused_in_plain_text(edge: AuthorizationStub) -> None:
    in_grpc = {"content-type": "application/grpc+proto"}
    response = await edge.Check(edge_request("/containers.v1.Containers/List", in_grpc))
    denied = response.denied_response
    assert (denied.status.code, denied.body.partition(":")[0]) == (401, "This call needs a signed-in person")
    assert {h.header.key: h.header.value for h in denied.headers} == {
        "content-type": "text/plain",
        "www-authenticate": "Bearer",
    }
    as_rest = in_grpc | {"x-envoy-original-method": "GET"}
    assert refused(await edge.Check(edge_request("/containers.v1.Containers/List", as_rest)))[0] == 401


async def test_identity_or_the_database_away_is_an_error_and_no_answer(pair: Pair, world: Dashboard) -> None:
    settings = pair.tenancy_settings.model_copy(update={"identity_address": "127.0.0.1:1"})
    async with running_tenancy(settings) as tenancy:
        edge = AuthorizationStub(tenancy.channel)
        for rule in (READ, {}):
            async with fails(Reason.IDENTITY_UNAVAILABLE):
                await edge.Check(edge_request(world.path, bearer(world.ada), **rule))
    place = pair.tenancy.database_url.rpartition("@")[2].partition("/")[0]
    async with Proxy(place) as proxy:
        url = SecretStr(pair.tenancy.database_url.replace(place, proxy.address))
        async with running_tenancy(pair.tenancy_settings.model_copy(update={"database_url": url})) as tenancy:
            edge = AuthorizationStub(tenancy.channel)
            passed_on(await edge.Check(edge_request(world.path, bearer(world.ada), **READ)))
            proxy.target = "127.0.0.1:1"
            proxy.cut()
            async with fails(Reason.DATABASE_UNAVAILABLE):
                await edge.Check(edge_request(world.path, bearer(world.ada), **READ))


def field(number: int, content: bytes | str | int) -> bytes:
    """Of a message on the wire, by its number alone."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


async def test_it_is_envoys_own_contract_on_the_wire(tenancy: grpc.aio.Channel, world: Dashboard) -> None:
    """With all fields that Envoy sends: numbers of envoy/service/auth/v3/external_auth.proto and what it imports."""
    check: Any = tenancy.unary_unary("/envoy.service.auth.v3.Authorization/Check")
    peer = field(1, field(1, field(2, "127.0.0.1") + field(3, 4711)))
    headers = {":path": world.path, ":method": "GET", "authorization": f"Bearer {world.ada.token}"}
    http = (
        field(1, "4711") + field(2, "GET") + b"".join(field(3, field(1, k) + field(2, v)) for k, v in headers.items())
    )
    http += (
        field(4, world.path)
        + field(5, "api.example.com")
        + field(6, "http")
        + field(10, "HTTP/1.1")
        + field(11, "body")
    )
    rule = b"".join(field(10, field(1, key) + field(2, value)) for key, value in READ.items())
    attributes = field(1, peer) + field(2, peer) + field(4, field(1, b"") + field(2, http)) + rule
    assert await check(field(1, attributes)) == (
        field(1, b"")
        + field(
            3,
            b"".join(
                field(2, field(1, field(1, key) + field(2, value)) + field(3, 2))
                for key, value in (
                    ("x-organization-role", "OWNER"), ("x-project-role", "ADMIN"), ("x-user-id", world.ada.user_id),
                )
            ),
        )
    )  # fmt: skip
    denied = await check(field(1, field(10, field(1, "remove_credential") + field(2, "true"))))
    body = pb.CheckResponse.FromString(denied).denied_response.body
    assert denied == (
        field(1, field(1, 16))
        + field(
            2,
            field(1, field(1, 401))
            + field(2, field(1, field(1, "content-type") + field(2, "application/json")) + field(3, 2))
            + field(2, field(1, field(1, "www-authenticate") + field(2, "Bearer")) + field(3, 2))
            + field(3, body),
        )
    )
    assert body.startswith('{"code":16,"message":"This call needs')
