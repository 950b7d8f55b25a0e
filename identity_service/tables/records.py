"""What happened, for others to follow, for people to look up, and mails to be sent."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Uuid,
)  # fmt: skip

from identity_service.tables.schema import metadata
from identity_service.tables.users import of_user
from shared.record_tables import audit_columns, event_columns, event_epoch_table, outbox_columns
from shared.request_results import request_results_table

# In order for each user.
events = Table(
    "events",
    metadata,
    *event_columns(),
    Column("user_id", Uuid, nullable=False),
    Column("session_id", Uuid),
    # identity.v1.User, right after the change.
    Column("user_message", LargeBinary),
    Index(None, "user_id", "epoch", "xid"),
)

event_epoch = event_epoch_table(metadata)

audit_events = Table(
    "audit_events",
    metadata,
    *audit_columns(),
    Column("user_id", Uuid),
    PrimaryKeyConstraint("audit_event_id"),
    Index("ix_audit_events_user_id", "user_id", "audit_event_id"),
    Index("ix_audit_events_action", "action", "audit_event_id"),
    Index(None, "create_time"),
)

outbox_emails = Table(
    "outbox_emails",
    metadata,
    *outbox_columns(),
    of_user(nullable=True),
    Column("token_id", Uuid, ForeignKey("one_time_tokens.token_id", ondelete="SET NULL")),
    PrimaryKeyConstraint("email_id"),
    Index(None, "user_id"),
    Index(None, "token_id"),
)

request_results = request_results_table(metadata)
