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
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import INET, JSONB

from shared.request_results import request_results_table
from shared.schema import Xid8, by_database_clock
from tenancy_service.tables.schema import metadata

# Ids commit out of order. Readers go by (epoch, xid, event_id) and stay below the oldest transaction under way.
events = Table(
    "events",
    metadata,
    Column("event_id", BigInteger, Identity(always=True), nullable=False),
    # Rises when the database was restored from a dump: its transaction numbers began anew.
    Column("epoch", Integer, nullable=False, server_default=text("current_event_epoch()")),
    # Of the transaction, or what a trigger finds higher among the organization's events: it waited for that one.
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("type", Text, nullable=False),
    Column("organization_id", Uuid, nullable=False),
    Column("project_id", Uuid),
    Column("user_id", Uuid),
    # The message of tenancy.v1 that the type tells of, right after the change.
    Column("message", LargeBinary),
    by_database_clock("create_time"),
    PrimaryKeyConstraint("event_id"),
    Index("ix_events_order", "epoch", "xid", "event_id"),
    Index(None, "create_time"),
    Index(None, "organization_id", "epoch", "xid"),
)

event_epoch = Table(
    "event_epoch",
    metadata,
    Column("only_row", Boolean, nullable=False, server_default=text("true")),
    Column("epoch", Integer, nullable=False),
    PrimaryKeyConstraint("only_row"),
    CheckConstraint("only_row", name="only_row"),
)

# Append-only: a trigger refuses every other statement of the service. Kept when its organization is purged.
audit_events = Table(
    "audit_events",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("audit_event_id", Uuid, nullable=False),
    by_database_clock("create_time"),
    Column("action", Text, nullable=False),
    Column("project_id", Uuid),
    Column("target_user_id", Uuid),
    Column("invitation_id", Uuid),
    Column("actor_user_id", Uuid),
    Column("actor_service", Text),
    Column("session_id", Uuid),
    Column("ip", INET),
    Column("user_agent", Text),
    Column("request_id", Text),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    PrimaryKeyConstraint("organization_id", "audit_event_id"),
    Index(None, "audit_event_id"),
    Index("ix_audit_events_actor", "organization_id", "actor_user_id", "audit_event_id"),
    Index("ix_audit_events_target", "organization_id", "target_user_id", "audit_event_id"),
)

# A mail is written with the invitation it is about; the worker composes it when it sends it.
outbox_emails = Table(
    "outbox_emails",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("email_id", Uuid, nullable=False),
    Column("invitation_id", Uuid, nullable=False),
    Column("template", Text, nullable=False),
    Column("address", Text, nullable=False),
    # What the template shows; never a secret.
    Column("shown", JSONB, nullable=False, server_default=text("'{}'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    by_database_clock("next_attempt_time"),
    Column("sent_time", DateTime(timezone=True)),
    # Given up; kept for the operator.
    Column("dead_time", DateTime(timezone=True)),
    Column("last_error", Text),
    by_database_clock("create_time"),
    PrimaryKeyConstraint("organization_id", "email_id"),
    ForeignKeyConstraint(
        ["organization_id", "invitation_id"],
        ["invitations.organization_id", "invitations.invitation_id"],
        name="fk_outbox_emails_invitations",
        ondelete="CASCADE",
    ),
    Index(
        "ix_outbox_emails_due",
        "next_attempt_time",
        postgresql_where=text("sent_time IS NULL AND dead_time IS NULL"),
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
