"""Invitations for tests: sent by somebody, read from the mail, answered, and written about in the database."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import TupleRow

from protos.tenancy.v1 import invitations_pb2 as pb
from protos.tenancy.v1.invitations_pb2_grpc import InvitationServiceStub
from protos.tenancy.v1.organization_members_pb2 import OrganizationMember
from tenancy_service.permissions import OrgRole, ProjectRole
from tenantry.testing.mail import Mailbox
from tenantry.testing.pair import Pair
from tenantry.testing.people import Metadata, TestPerson

SECONDS = 10.0


def an_address(name: str = "dee") -> str:
    return f"{name}.{uuid4().hex[:10]}@example.com"


def creation(
    organization_id: str, email: str, role: str = "MEMBER", project_roles: Mapping[str, str] | None = None, **more: Any
) -> pb.CreateInvitationRequest:
    """`project_roles` by the project's id."""
    return pb.CreateInvitationRequest(
        organization_id=organization_id,
        email=email,
        role=OrgRole[role].value,  # type: ignore[arg-type]
        project_roles=[
            pb.InvitedProjectRole(project_id=project_id, role=ProjectRole[each].value)  # type: ignore[arg-type]
            for project_id, each in (project_roles or {}).items()
        ],
        **more,
    )


class Inviting:
    def __init__(self, pair: Pair) -> None:
        self.stub = InvitationServiceStub(pair.tenancy.channel)
        self.mailbox = Mailbox(pair.mail_folder)
        self._pair = pair

    async def invite(
        self,
        by: TestPerson | Metadata,
        organization_id: str,
        email: str,
        role: str = "MEMBER",
        project_roles: Mapping[str, str] | None = None,
    ) -> pb.Invitation:
        metadata = by.metadata if isinstance(by, TestPerson) else by
        request = creation(organization_id, email, role, project_roles)
        return (await self.stub.CreateInvitation(request, metadata=metadata)).invitation

    async def secret(self, email: str) -> str:
        """Of the latest mail, which may still be on its way."""
        return (await self.mailbox.newest(email, "invitation")).token

    async def get(self, by: TestPerson, invitation_id: str) -> pb.Invitation:
        request = pb.GetInvitationRequest(invitation_id=invitation_id)
        return (await self.stub.GetInvitation(request, metadata=by.metadata)).invitation

    async def accept(self, by: TestPerson, **which: str) -> pb.AcceptInvitationResponse:
        return await self.stub.AcceptInvitation(pb.AcceptInvitationRequest(**which), metadata=by.metadata)

    async def decline(self, by: TestPerson, **which: str) -> pb.Invitation:
        request = pb.DeclineInvitationRequest(**which)
        return (await self.stub.DeclineInvitation(request, metadata=by.metadata)).invitation

    async def revoke(self, by: TestPerson, invitation_id: str, **more: str) -> pb.Invitation:
        request = pb.RevokeInvitationRequest(invitation_id=invitation_id, **more)
        return (await self.stub.RevokeInvitation(request, metadata=by.metadata)).invitation

    async def resend(self, by: TestPerson, invitation_id: str) -> pb.Invitation:
        request = pb.ResendInvitationRequest(invitation_id=invitation_id)
        return (await self.stub.ResendInvitation(request, metadata=by.metadata)).invitation

    async def rows(self, query: str, *values: object) -> list[TupleRow]:
        async with await psycopg.AsyncConnection.connect(self._pair.tenancy.database_url) as connection:
            cursor = await connection.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def in_identity(self, query: str, *values: object) -> None:
        async with await psycopg.AsyncConnection.connect(self._pair.identity.database_url) as connection:
            await connection.execute(query.encode(), values)

    async def expire(self, invitation_id: str) -> None:
        """As if its time had passed."""
        await self.rows(
            "UPDATE invitations SET expire_time = now() - interval '1 s' WHERE invitation_id = %s", invitation_id
        )

    async def age(self, invitation_id: str, seconds: float = 61) -> None:
        """As if its last mail were so old."""
        query = "UPDATE invitations SET update_time = update_time - make_interval(secs => %s) WHERE invitation_id = %s"
        await self.rows(query, seconds, invitation_id)

    async def sent(self, invitation_id: str) -> None:
        """Waits until its mails are sent, as far as there is anything to send."""
        query = "SELECT 1 FROM outbox_emails WHERE invitation_id = %s AND sent_time IS NULL AND dead_time IS NULL"
        deadline = time.monotonic() + SECONDS
        while await self.rows(query, invitation_id):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    async def audited(self, invitation_id: str) -> list[str]:
        query = "SELECT action FROM audit_events WHERE invitation_id = %s ORDER BY audit_event_id"
        return [action for (action,) in await self.rows(query, invitation_id)]

    async def role(self, organization_id: str, person: TestPerson) -> str | None:
        query = "SELECT role FROM organization_members WHERE organization_id = %s AND user_id = %s"
        found = await self.rows(query, organization_id, person.user_id)
        return found[0][0] if found else None

    async def overrides(self, organization_id: str, person: TestPerson) -> dict[str, str]:
        query = "SELECT project_id::text, role FROM project_members WHERE organization_id = %s AND user_id = %s"
        return dict(await self.rows(query, organization_id, person.user_id))


def name_of(member: OrganizationMember) -> str:
    return OrgRole(member.role).name


def state_of(invitation: pb.Invitation) -> str:
    return pb.InvitationState.Name(invitation.state).removeprefix("INVITATION_STATE_")
