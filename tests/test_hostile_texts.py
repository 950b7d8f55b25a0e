"""Hostile text in one field of a request that is right otherwise, so that it gets as far as it can.

It is stored as it is or refused with a clear error; it never breaks anything, and no answer tells how we are made.
"""

import unicodedata
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from identity_service.server import SERVICES as IDENTITY
from protos.identity.v1 import audit_events_pb2, credentials_pb2, user_imports_pb2
from protos.identity.v1 import sessions_pb2 as sessions
from protos.identity.v1 import users_pb2 as users
from tenancy_service.server import SERVICES as TENANCY
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, People, TestPerson
from tests.calls import read
from tests.hostile import HOSTILE
from tests.tenancy.edge_requests import edge_request
from tests.tenancy.test_cross_tenant import Tenant, invitation, valid_request
from tests.test_error_hygiene import EXPECTED, INSIDE

METHODS = {
    f"{service.full_name}/{method.name}": method for service in (*IDENTITY, *TENANCY) for method in service.methods
}
PASSWORD = "tulip-orbit-canyon-93-maple"
NOBODY = "00000000-0000-7000-8000-000000000000"


def texts(message: Descriptor, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for field in message.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            yield (*path, field.name)
        elif field.message_type is not None:
            if field.message_type.full_name not in ("google.protobuf.Timestamp", "google.protobuf.Struct"):
                yield from texts(field.message_type, (*path, field.name))
        elif field.type == FieldDescriptor.TYPE_STRING:
            yield (*path, field.name)


FIELDS = [(rpc, path) for rpc, method in METHODS.items() for path in texts(method.input_type)]


def put(message: Any, path: tuple[str, ...], text: str) -> None:
    for name in path[:-1]:
        inner = getattr(message, name)
        message = (inner[0] if len(inner) else inner.add()) if hasattr(inner, "add") else inner
    field = message.DESCRIPTOR.fields_by_name[path[-1]]
    if field.message_type is not None:  # a map
        getattr(message, path[-1])[text] = text
    elif field.is_repeated:
        getattr(message, path[-1]).append(text)
    else:
        setattr(message, path[-1], text)


def request_of(rpc: str, tenant: Tenant, number: int) -> Any:
    """Right in every field; what it creates is new each time."""
    ada, name = tenant.owner, rpc.partition("/")[2]
    if rpc.startswith("identity"):
        email = f"hostile.{number}.{name}@example.com".lower()
        for_identity: dict[str, Any] = {
            "SignUp": users.SignUpRequest(email=email, password=PASSWORD, display_name="Ada"),
            "UpdateUser": users.UpdateUserRequest(user=users.User(user_id=ada.user_id, display_name="Ada")),
            "CreateSession": sessions.CreateSessionRequest(email=email, password=PASSWORD),
            # Never about ada herself: they would end what the others need.
            "DeleteUser": users.DeleteUserRequest(user_id=tenant.member.user_id, etag="stale"),
            "RevokeUserSessions": sessions.RevokeUserSessionsRequest(user_id=tenant.member.user_id),
            "StartEmailVerification": credentials_pb2.StartEmailVerificationRequest(email=email),
            "StartPasswordReset": credentials_pb2.StartPasswordResetRequest(email=email),
            "FinishPasswordReset": credentials_pb2.FinishPasswordResetRequest(token="none", new_password=PASSWORD),
            "ChangePassword": credentials_pb2.ChangePasswordRequest(current_password="x", new_password=PASSWORD),
            "ChangeEmail": credentials_pb2.ChangeEmailRequest(new_email=email),
            "UndeleteUser": users.UndeleteUserRequest(user_id=NOBODY),
            "CreateUser": users.CreateUserRequest(email=email, display_name="Ada"),
            "ImportUsers": users.ImportUsersRequest(users=[user_imports_pb2.ImportedUser(email=email)]),
            "LookUpUser": users.LookUpUserRequest(email=email),
            "SuspendUser": users.SuspendUserRequest(user_id=NOBODY),
            "ReactivateUser": users.ReactivateUserRequest(user_id=NOBODY),
            "RefreshSession": sessions.RefreshSessionRequest(password=PASSWORD),
            "ListAuditEvents": audit_events_pb2.ListAuditEventsRequest(user_id=ada.user_id),
        }
        return for_identity.get(name) or GetMessageClass(METHODS[rpc].input_type)()
    if name == "Check":
        headers = {"authorization": f"Bearer {ada.token}"}
        return edge_request(f"/{tenant.project_id}", headers, permission="project:read", project="path:1")
    request = valid_request(rpc, tenant)
    for resource in ("organization", "project"):
        if resource in request.DESCRIPTOR.fields_by_name:
            getattr(request, resource).ClearField("etag")
    if "slug" in request.DESCRIPTOR.fields_by_name and not request.DESCRIPTOR.oneofs:
        request.slug = f"hostile-{number}"
    return request


@pytest.fixture(scope="module")
async def tenant(pair: Pair, people: People) -> Tenant:
    owner, member = await people.persons(2)
    acme = await people.organization(owner, MEMBER=member)
    api = await people.project(acme, owner, EDITOR=member)
    return Tenant(owner, member, acme, api, await invitation(pair, owner, acme))


async def told(pair: Pair, rpc: str, request: Any, person: TestPerson) -> tuple[str, str, Any]:
    """The code, the text without the caller's own words, and the answer if there is one."""
    channel = pair.identity.channel if rpc.startswith("identity") else pair.tenancy.channel
    streams = METHODS[rpc].server_streaming
    kind: Any = channel.unary_stream if streams else channel.unary_unary
    call = kind(
        f"/{rpc}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=GetMessageClass(METHODS[rpc].output_type).FromString,
    )(request, metadata=AS_OPERATOR + person.metadata, timeout=20)
    try:
        answer = await (call.read() if streams else call)
        call.cancel()  # a stream would go on
        return "OK", "", answer
    except grpc.aio.AioRpcError as error:
        if "larger than max" in (error.details() or ""):
            return error.code().name, "", None  # gRPC's own refusal of an oversized message
        failure = read(error)
        text = f"{failure.message} {failure.fields}"
        for own in failure.metadata.values():
            text = text.replace(own, "")
        return error.code().name, text, None


@pytest.mark.parametrize(("rpc", "path"), FIELDS, ids=[f"{rpc.partition('/')[2]}.{'.'.join(p)}" for rpc, p in FIELDS])
async def test_it_is_refused_clearly_or_kept_as_it_is(
    pair: Pair, tenant: Tenant, rpc: str, path: tuple[str, ...]
) -> None:
    for number, text in enumerate(HOSTILE):
        request = request_of(rpc, tenant, number)
        put(request, path, text)
        code, said, answer = await told(pair, rpc, request, tenant.owner)
        assert code in EXPECTED, (code, said, text[:50])
        assert not INSIDE.search(said), said
        fields = [kept for _, kept in answer.ListFields()] if answer is not None else []
        if path[-1] == "display_name" and len(fields) == 1 and hasattr(fields[0], "display_name"):
            assert fields[0].display_name == unicodedata.normalize("NFC", text).strip()


async def test_the_requests_of_this_test_are_right_without_it(pair: Pair, tenant: Tenant) -> None:
    """Else nothing hostile would ever get far."""
    refused = {}
    for rpc in METHODS:
        request = request_of(rpc, tenant, 1000)
        code, said, _ = await told(pair, rpc, request, tenant.owner)
        if code == "INVALID_ARGUMENT":
            refused[rpc] = said
    # Their only text fields are ids and tokens, which are looked at first anyway.
    assert refused.keys() == {
        "identity.v1.UserService/BatchGetUsers",
        "identity.v1.SessionService/BatchValidateSessions",
    }
