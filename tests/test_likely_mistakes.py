"""The likeliest mistakes of the first hour, and what people must read then: the texts are part of the product.

Those of `make run` itself (a taken port, running twice, no venv) stand in tests/command_line.
"""

from typing import Any
from urllib.parse import quote
from uuid import uuid4

import grpc
import pytest

from identity_service import tokens
from protos.identity.v1.sessions_pb2 import GetSessionRequest, ValidateSessionRequest
from protos.identity.v1.sessions_pb2_grpc import SessionServiceStub
from protos.identity.v1.users_pb2 import SignUpRequest
from protos.identity.v1.users_pb2_grpc import UserServiceStub
from protos.tenancy.v1.access_pb2 import CheckAccessRequest
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from protos.tenancy.v1.organizations_pb2 import ListOrganizationsRequest
from protos.tenancy.v1.organizations_pb2_grpc import OrganizationServiceStub
from shared.reasons import Reason
from tenancy_service.permissions import ProjectRole
from tenantry.testing.pair import Pair, running_tenancy
from tenantry.testing.people import AS_OPERATOR, People
from tests.calls import fails

NO_CREDENTIALS = (
    'This call needs a signed-in person: metadata "authorization: Bearer <token>".'
    " Get a token with SessionService/CreateSession."
)
NOT_VALID = (
    "The session is not valid. Usual causes: expired or revoked; a cookie value not URL-decoded;"
    " another SESSION_SECRET than Express uses."
)
NO_KEY = (
    'Only services may call this: metadata "x-service-key: <name>.<secret>".'
    " In development: tenantry keys make-service-key billing"
)


async def test_no_credentials(identity: grpc.aio.Channel, tenancy: grpc.aio.Channel) -> None:
    async with fails(Reason.SESSION_REQUIRED) as failure:
        await SessionServiceStub(identity).GetSession(GetSessionRequest())
    assert failure.message == NO_CREDENTIALS
    async with fails(Reason.SESSION_REQUIRED) as failure:
        await OrganizationServiceStub(tenancy).ListOrganizations(ListOrganizationsRequest())
    assert failure.message == NO_CREDENTIALS


async def test_every_wrong_token_gets_the_same_answer(
    identity: grpc.aio.Channel, tenancy: grpc.aio.Channel, people: People
) -> None:
    ada = await people.person()
    wrong = {
        "bare sid": ada.sid,
        "still URL-encoded": quote(ada.token, safe=""),
        "signed with another secret": tokens.sign(ada.sid, b"another secret of at least 32 bytes"),
        "of no session": f"s:{ada.sid[:-1]}.{ada.token.rpartition('.')[2]}",
    }
    seen = set()
    for token in wrong.values():
        as_nobody = (("authorization", f"Bearer {token}"),)
        async with fails(Reason.SESSION_INVALID) as by_identity:
            await SessionServiceStub(identity).GetSession(GetSessionRequest(), metadata=as_nobody)
        async with fails(Reason.SESSION_INVALID) as by_tenancy:
            await OrganizationServiceStub(tenancy).ListOrganizations(ListOrganizationsRequest(), metadata=as_nobody)
        async with fails(Reason.SESSION_INVALID) as validated:
            await SessionServiceStub(identity).ValidateSession(
                ValidateSessionRequest(token=token), metadata=AS_OPERATOR
            )
        seen |= {by_identity.raw, by_tenancy.raw, validated.raw}
        assert validated.message == NOT_VALID
    assert len(seen) == 1


async def test_an_rpc_for_services_without_a_key(identity: grpc.aio.Channel, people: People) -> None:
    ada = await people.person()
    request = ValidateSessionRequest(token=ada.token)
    for metadata in ((), ada.metadata):
        async with fails(Reason.SERVICE_KEY_REQUIRED) as failure:
            await SessionServiceStub(identity).ValidateSession(request, metadata=metadata)
        assert failure.message == NO_KEY


async def test_an_unknown_permission(pair: Pair, people: People) -> None:
    ada = await people.person()
    own = {**pair.tenancy_settings.permissions, "containers:restart": ProjectRole.EDITOR}
    async with running_tenancy(pair.tenancy_settings.model_copy(update={"permissions": own})) as tenancy:
        question = CheckAccessRequest(project_id=str(uuid4()), permission="container:restart")
        async with fails(Reason.PERMISSION_UNKNOWN) as failure:
            await AccessServiceStub(tenancy.channel).CheckAccess(question, metadata=ada.metadata)
    assert failure.message == (
        '"container:restart" is not defined. Nearest: "containers:restart". Add your own in permissions.toml.'
    )


async def test_bad_fields_are_named_all_at_once_with_their_limits_and_without_their_values(
    identity: grpc.aio.Channel,
) -> None:
    request = SignUpRequest(email="ada", password="nine chars"[:9], display_name="a" * 101, request_id="1")
    async with fails(Reason.BAD_REQUEST) as failure:
        await UserServiceStub(identity).SignUp(request)
    assert failure.fields == {
        "email": "not an email address such as ada@example.com",
        "password": "9 characters, at least 15 without a second factor",
        "display_name": "101 characters, 0 to 100 are allowed",
        "request_id": "a UUID of 36 characters is needed",
    }
    assert "password: 9 characters, at least 15 without a second factor" in failure.message
    assert "nine" not in failure.message


@pytest.mark.parametrize("service", ["identity", "tenancy"])
async def test_a_mistyped_rpc(pair: Pair, service: str) -> None:
    channel: grpc.aio.Channel = getattr(pair, service).channel
    async with fails(Reason.METHOD_UNKNOWN):
        call: Any = channel.unary_unary(f"/{service}.v1.Users/Get")
        await call(b"")
