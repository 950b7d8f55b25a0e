"""What happened, for others to follow, for people to look up, and mails to be sent."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
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

from identity_service.tables.schema import metadata
from identity_service.tables.users import of_user
from shared.request_results import request_results_table
from shared.schema import Xid8, by_database_clock

# Ids commit out of order. Readers go by (epoch, xid, event_id) and stay below the oldest transaction under way.
events = Table(
    "events",
    metadata,
    Column("event_id", BigInteger, Identity(always=True), nullable=False),
    # Rises when the database was restored from a dump: its transaction numbers began anew.
    Column("epoch", Integer, nullable=False, server_default=text("current_event_epoch()")),
    # Of the transaction, or what a trigger finds higher among the user's events: it waited for that one.
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("type", Text, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("session_id", Uuid),
    # identity.v1.User, right after the change.
    Column("user_message", LargeBinary),
    by_database_clock("create_time"),
    PrimaryKeyConstraint("event_id"),
    Index("ix_events_order", "epoch", "xid", "event_id"),
    Index(None, "create_time"),
    Index(None, "user_id", "epoch", "xid"),
)

event_epoch = Table(
    "event_epoch",
    metadata,
    Column("only_row", Boolean, nullable=False, server_default=text("true")),
    Column("epoch", Integer, nullable=False),
    PrimaryKeyConstraint("only_row"),
    CheckConstraint("only_row", name="only_row"),
)

# Append-only: a trigger refuses every other statement of the service.
audit_events = Table(
    "audit_events",
    metadata,
    Column("audit_event_id", Uuid, nullable=False),
    by_database_clock("create_time"),
    Column("action", Text, nullable=False),
    Column("user_id", Uuid),
    Column("actor_user_id", Uuid),
    Column("actor_service", Text),
    Column("session_id", Uuid),
    Column("ip", INET),
    Column("user_agent", Text),
    Column("request_id", Text),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    PrimaryKeyConstraint("audit_event_id"),
    Index("ix_audit_events_user_id", "user_id", "audit_event_id"),
    Index("ix_audit_events_action", "action", "audit_event_id"),
    Index(None, "create_time"),
)

outbox_emails = Table(
    "outbox_emails",
    metadata,
    Column("email_id", Uuid, nullable=False),
    Column("template", Text, nullable=False),
    Column("address", Text, nullable=False),
    of_user(nullable=True),
    Column("token_id", Uuid, ForeignKey("one_time_tokens.token_id", ondelete="SET NULL")),
    # What the template shows; never a secret.
    Column("shown", JSONB, nullable=False, server_default=text("'{}'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    by_database_clock("next_attempt_time"),
    Column("sent_time", DateTime(timezone=True)),
    # Given up; kept for the operator.
    Column("dead_time", DateTime(timezone=True)),
    Column("last_error", Text),
    by_database_clock("create_time"),
    PrimaryKeyConstraint("email_id"),
    Index(
        "ix_outbox_emails_due",
        "next_attempt_time",
        postgresql_where=text("sent_time IS NULL AND dead_time IS NULL"),
    ),
    Index(None, "user_id"),
    Index(None, "token_id"),
)

request_results = request_results_table(metadata)
