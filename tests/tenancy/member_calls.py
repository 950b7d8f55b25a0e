"""Requests about members and roles as tests write them, and what is written down of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from protos.tenancy.v1 import organization_members_pb2 as members
from protos.tenancy.v1 import project_members_pb2 as project_members
from protos.tenancy.v1.roles_pb2 import OrgRole, ProjectRole
from tenantry.testing.pair import Pair
from tests.tenancy.races import rows

AGED_MEMBER = """UPDATE organization_members SET expire_time = now() - interval '1 s'
                  WHERE organization_id = %s AND user_id = %s RETURNING user_id"""
AGED_OVERRIDE = """UPDATE project_members SET expire_time = now() - interval '1 s'
                    WHERE project_id = %s AND user_id = %s RETURNING user_id"""
AUDIT = """SELECT action, target_user_id::text, actor_user_id::text, actor_service, details FROM audit_events
            WHERE organization_id = %s AND action LIKE ANY (ARRAY['MEMBER%%', 'PROJECT_ROLE%%'])
            ORDER BY create_time, audit_event_id"""
EVENTS = """SELECT type, user_id::text, message FROM events WHERE organization_id = %s
               AND type LIKE ANY (ARRAY['MEMBER%%', 'PROJECT_ROLE%%']) ORDER BY event_id"""


def org_role(name: str) -> Any:
    return OrgRole.Value(f"ORG_ROLE_{name}")


def project_role(name: str) -> Any:
    return ProjectRole.Value(f"PROJECT_ROLE_{name}")


def after(**time: float) -> Timestamp:
    """A time from now; `after(hours=-1)` is past. Whole microseconds, as the database keeps them."""
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + timedelta(**time))
    return stamp


def add(organization_id: str, user_id: str, role: str, **more: Any) -> members.AddOrganizationMemberRequest:
    return members.AddOrganizationMemberRequest(
        organization_id=organization_id, user_id=user_id, role=org_role(role), **more
    )


def update(organization_id: str, user_id: str, role: str = "", **more: Any) -> members.UpdateOrganizationMemberRequest:
    return members.UpdateOrganizationMemberRequest(
        organization_id=organization_id, user_id=user_id, role=org_role(role or "UNSPECIFIED"), **more
    )


def remove(organization_id: str, user_id: str, **more: Any) -> members.RemoveOrganizationMemberRequest:
    return members.RemoveOrganizationMemberRequest(organization_id=organization_id, user_id=user_id, **more)


def get(organization_id: str, user_id: str) -> members.GetOrganizationMemberRequest:
    return members.GetOrganizationMemberRequest(organization_id=organization_id, user_id=user_id)


def set_role(project_id: str, user_id: str, role: str, **more: Any) -> project_members.SetProjectRoleRequest:
    return project_members.SetProjectRoleRequest(
        project_id=project_id, user_id=user_id, role=project_role(role), **more
    )


def clear_role(project_id: str, user_id: str, **more: Any) -> project_members.ClearProjectRoleRequest:
    return project_members.ClearProjectRoleRequest(project_id=project_id, user_id=user_id, **more)


def get_on_project(project_id: str, user_id: str) -> project_members.GetProjectMemberRequest:
    return project_members.GetProjectMemberRequest(project_id=project_id, user_id=user_id)


async def expire_member(pair: Pair, organization_id: str, user_id: str) -> None:
    assert await rows(pair, AGED_MEMBER, (organization_id, user_id))


async def expire_override(pair: Pair, project_id: str, user_id: str) -> None:
    assert await rows(pair, AGED_OVERRIDE, (project_id, user_id))


async def audited(pair: Pair, organization_id: str) -> list[Any]:
    """(action, target, actor's user_id, actor's service, details) of members and roles, oldest first."""
    return await rows(pair, AUDIT, (organization_id,))


async def published(pair: Pair, organization_id: str) -> list[Any]:
    """(type, user_id, message) of members and roles, oldest first."""
    return await rows(pair, EVENTS, (organization_id,))
