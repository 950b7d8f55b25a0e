"""What happened: for others to follow, for people to look up, mails to be sent, and how far identity is followed."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)  # fmt: skip

from shared.record_tables import audit_columns, event_columns, event_epoch_table, outbox_columns
from shared.request_results import request_results_table
from shared.schema import by_database_clock
from tenancy_service.tables.schema import metadata

# In order for each organization.
events = Table(
    "events",
    metadata,
    *event_columns(),
    Column("organization_id", Uuid, nullable=False),
    Column("project_id", Uuid),
    Column("user_id", Uuid),
    # The message of tenancy.v1 that the type tells of, right after the change.
    Column("message", LargeBinary),
    Index(None, "organization_id", "epoch", "xid"),
)

event_epoch = event_epoch_table(metadata)

# Kept when its organization is purged.
audit_events = Table(
    "audit_events",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    *audit_columns(),
    Column("project_id", Uuid),
    Column("target_user_id", Uuid),
    Column("invitation_id", Uuid),
    PrimaryKeyConstraint("organization_id", "audit_event_id"),
    Index(None, "audit_event_id"),
    Index("ix_audit_events_actor", "organization_id", "actor_user_id", "audit_event_id"),
    Index("ix_audit_events_target", "organization_id", "target_user_id", "audit_event_id"),
)

# Each of an invitation.
outbox_emails = Table(
    "outbox_emails",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    *outbox_columns(),
    Column("invitation_id", Uuid, nullable=False),
    PrimaryKeyConstraint("organization_id", "email_id"),
    ForeignKeyConstraint(
        ["organization_id", "invitation_id"],
        ["invitations.organization_id", "invitations.invitation_id"],
        name="fk_outbox_emails_invitations",
        ondelete="CASCADE",
    ),
    Index("ix_outbox_emails_invitation", "organization_id", "invitation_id"),
)

# Users as identity's events tell of them: to find members by name and address. What is shown is asked for anew.
user_names = Table(
    "user_names",
    metadata,
    Column("user_id", Uuid, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    PrimaryKeyConstraint("user_id"),
    Index("ix_user_names_email_key", "email_key", postgresql_ops={"email_key": "text_pattern_ops"}),
    Index("ix_user_names_name_key", "name_key", postgresql_ops={"name_key": "text_pattern_ops"}),
)

# How far identity's events are applied, written with their effects; and which worker does it, until when.
identity_cursor = Table(
    "identity_cursor",
    metadata,
    Column("only_row", Boolean, nullable=False, server_default=text("true")),
    # None: to begin anew, with all accounts as they are.
    Column("cursor", Text),
    by_database_clock("update_time"),
    Column("holder", Uuid),
    Column("hold_until", DateTime(timezone=True)),
    PrimaryKeyConstraint("only_row"),
    CheckConstraint("only_row", name="only_row"),
)

# Users to ask identity about once more: members since they were asked about, and all when events may have been missed.
users_to_check = Table(
    "users_to_check",
    metadata,
    Column("check_id", BigInteger, Identity(always=True), nullable=False),
    Column("user_id", Uuid, nullable=False),
    PrimaryKeyConstraint("check_id"),
)

# Events of identity that could not be applied, put aside so that the others flow on.
set_aside_events = Table(
    "set_aside_events",
    metadata,
    Column("event_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    # identity.v1.StreamEventsResponse as it came.
    Column("message", LargeBinary, nullable=False),
    Column("error", Text, nullable=False),
    by_database_clock("create_time"),
    PrimaryKeyConstraint("event_id"),
)

request_results = request_results_table(metadata)
