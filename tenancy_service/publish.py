"""Write the events that others follow, in the transaction of the change. Read by EventService/StreamEvents."""

from typing import Literal, TypeAlias
from uuid import UUID

from shared.database import Row, Tx
from tenancy_service import to_proto
from tenancy_service.permissions import Access
from tenancy_service.queries import events

OrganizationEvent: TypeAlias = Literal[
    "ORGANIZATION_CREATED", "ORGANIZATION_UPDATED", "ORGANIZATION_DELETED", "ORGANIZATION_UNDELETED"
]
MemberEvent: TypeAlias = Literal["MEMBER_ADDED", "MEMBER_UPDATED"]
ProjectEvent: TypeAlias = Literal["PROJECT_CREATED", "PROJECT_UPDATED", "PROJECT_DELETED", "PROJECT_UNDELETED"]


async def organization_changed(tx: Tx, type_: OrganizationEvent, row: Row) -> None:
    """`row` is the organization right after the change; a deleted one is only named."""
    message = None if row.delete_time else to_proto.public_organization(row).SerializeToString()
    await events.insert_event(tx, type_=type_, organization_id=row.organization_id, message=message)


async def member_changed(tx: Tx, type_: MemberEvent, row: Row) -> None:
    message = to_proto.organization_member(row).SerializeToString()
    await events.insert_event(
        tx, type_=type_, organization_id=row.organization_id, user_id=row.user_id, message=message
    )


async def member_removed(tx: Tx, organization_id: UUID, user_id: UUID) -> None:
    await events.insert_event(tx, type_="MEMBER_REMOVED", organization_id=organization_id, user_id=user_id)


async def project_changed(tx: Tx, type_: ProjectEvent, row: Row) -> None:
    message = None if row.delete_time else to_proto.project(row, None).SerializeToString()
    await events.insert_event(
        tx, type_=type_, organization_id=row.organization_id, project_id=row.project_id, message=message
    )


async def project_role_set(tx: Tx, project: Row, override: Row, access: Access) -> None:
    """`override` is its row, `access` what the member is on the project now."""
    message = to_proto.project_member(project, override.user_id, access, override).SerializeToString()
    await events.insert_event(
        tx,
        type_="PROJECT_ROLE_SET",
        organization_id=project.organization_id,
        project_id=project.project_id,
        user_id=override.user_id,
        message=message,
    )


async def project_role_cleared(tx: Tx, project: Row, user_id: UUID) -> None:
    await events.insert_event(
        tx,
        type_="PROJECT_ROLE_CLEARED",
        organization_id=project.organization_id,
        project_id=project.project_id,
        user_id=user_id,
    )
