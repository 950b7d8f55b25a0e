"""The schema."""

from tenancy_service.tables.invitations import (
    invitation_project_roles,
    invitations,
)
from tenancy_service.tables.places import (
    organization_members,
    organization_slugs,
    organizations,
    project_members,
    projects,
)
from tenancy_service.tables.records import (
    audit_events,
    event_epoch,
    events,
    identity_cursor,
    outbox_emails,
    request_results,
    set_aside_events,
    user_names,
    users_to_check,
)
from tenancy_service.tables.schema import metadata

__all__ = [
    "audit_events",
    "event_epoch",
    "events",
    "identity_cursor",
    "invitation_project_roles",
    "invitations",
    "metadata",
    "organization_members",
    "organization_slugs",
    "organizations",
    "outbox_emails",
    "project_members",
    "projects",
    "request_results",
    "set_aside_events",
    "user_names",
    "users_to_check",
]
