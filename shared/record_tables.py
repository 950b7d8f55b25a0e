"""What the tables of events, of the audit and of mails have in common in both services, beside columns of their own."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import INET, JSONB
from sqlalchemy.schema import SchemaItem

from shared.schema import Xid8, by_database_clock


def event_columns() -> list[SchemaItem]:
    """Ids commit out of order. Readers go by (epoch, xid, event_id) and stay below the oldest transaction under way.

    A trigger of the table's own keeps what is about the same thing in order.
    """
    return [
        Column("event_id", BigInteger, Identity(always=True), nullable=False),
        # Rises when the database was restored from a dump: its transaction numbers began anew.
        Column("epoch", Integer, nullable=False, server_default=text("current_event_epoch()")),
        # Of the transaction, or what the trigger finds higher: it waited for that one.
        Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
        Column("type", Text, nullable=False),
        by_database_clock("create_time"),
        PrimaryKeyConstraint("event_id"),
        Index("ix_events_order", "epoch", "xid", "event_id"),
        Index(None, "create_time"),
    ]


def event_epoch_table(metadata: MetaData) -> Table:
    """One row: the epoch that new events get."""
    return Table(
        "event_epoch",
        metadata,
        Column("only_row", Boolean, nullable=False, server_default=text("true")),
        Column("epoch", Integer, nullable=False),
        PrimaryKeyConstraint("only_row"),
        CheckConstraint("only_row", name="only_row"),
    )


def audit_columns() -> list[SchemaItem]:
    """Append-only: a trigger refuses every other statement of the service."""
    return [
        Column("audit_event_id", Uuid, nullable=False),
        by_database_clock("create_time"),
        Column("action", Text, nullable=False),
        Column("actor_user_id", Uuid),
        Column("actor_service", Text),
        Column("session_id", Uuid),
        Column("ip", INET),
        Column("user_agent", Text),
        Column("request_id", Text),
        Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    ]


def outbox_columns() -> list[SchemaItem]:
    """A mail is written with the change it tells of; the worker composes it when it sends it."""
    return [
        Column("email_id", Uuid, nullable=False),
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
        Index(
            "ix_outbox_emails_due",
            "next_attempt_time",
            postgresql_where=text("sent_time IS NULL AND dead_time IS NULL"),
        ),
    ]
