"""Every RPC of tenancy by the name of its request, and what the database holds of an organization."""

from typing import Any

import grpc
import psycopg
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from protos.tenancy.v1 import access_pb2
from protos.tenancy.v1.access_pb2_grpc import AccessServiceStub
from tenancy_service.permissions import BUILT_IN, OrgRole
from tenancy_service.server import SERVICES
from tenantry.testing.pair import Pair
from tenantry.testing.people import AS_OPERATOR, Metadata, TestPerson

METHODS: dict[str, MethodDescriptor] = {
    method.input_type.full_name: method for service in SERVICES for method in service.methods
}
# Tables whose rows belong to one organization.
OF_AN_ORGANIZATION = (
    "organizations", "organization_slugs", "organization_members", "projects", "project_members", "invitations",
    "outbox_emails", "events", "audit_events",
)  # fmt: skip
BY_THE_MAIL_WORKER = ["secret_hash", "attempts", "next_attempt_time", "sent_time", "dead_time", "last_error"]


async def call(channel: grpc.aio.Channel, request: Message, metadata: Metadata, timeout: float | None = None) -> Any:
    """The RPC that takes such a request."""
    method = METHODS[request.DESCRIPTOR.full_name]
    rpc = channel.unary_unary(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    return await rpc(request, metadata=metadata, timeout=timeout)


async def everything_of(pair: Pair, organization_id: str) -> dict[str, list[str]]:
    """All rows, as texts, by table; without what the sending of mails changes in its own time."""
    rows: dict[str, list[str]] = {}
    async with await psycopg.AsyncConnection.connect(pair.tenancy.database_url) as connection:
        for table in OF_AN_ORGANIZATION:
            query = f"SELECT (to_jsonb(t) - %s::text[])::text FROM {table} t WHERE organization_id = %s ORDER BY 1"
            cursor = await connection.execute(query.encode(), (BY_THE_MAIL_WORKER, organization_id))
            rows[table] = [row[0] for row in await cursor.fetchall()]
    return rows


async def checks(
    channel: grpc.aio.Channel, people: list[TestPerson], organization_id: str, project_ids: list[str]
) -> dict[tuple[str, str], tuple[int, int, frozenset[str]]]:
    """What CheckAccess says: by user and project ("" for the organization) the two roles and all that is allowed."""
    asked = [
        (person.user_id, project_id, permission, person.token)
        for person in people
        for project_id in ["", *project_ids]
        for permission, least in BUILT_IN.items()
        if isinstance(least, OrgRole) == (project_id == "")
    ]
    requests = [
        access_pb2.CheckAccessRequest(
            organization_id="" if project_id else organization_id,
            project_id=project_id,
            permission=permission,
            session_token=token,
        )
        for _, project_id, permission, token in asked
    ]
    response = await AccessServiceStub(channel).BatchCheckAccess(
        access_pb2.BatchCheckAccessRequest(requests=requests), metadata=AS_OPERATOR
    )
    found: dict[tuple[str, str], tuple[int, int, frozenset[str]]] = {}
    for (user_id, project_id, permission, _), result in zip(asked, response.results, strict=True):
        answer = result.answer
        _, _, allowed = found.get((user_id, project_id), (0, 0, frozenset()))
        more = allowed | {permission} if answer.allowed else allowed
        found[user_id, project_id] = answer.organization_role, answer.project_role, more
    return found
