"""Sessions. The table is shared with Express apps: its first three columns are connect-pg-simple's."""

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Index,
    Interval,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import INET, JSONB, TIMESTAMP

from identity_service.tables.schema import metadata
from shared.schema import by_database_clock

# Rows come from Express apps too, so whatever they do not write is generated, defaulted or filled by a
# trigger, and nothing refers to users: an unknown id would make a sign-in in Express fail silently.
sessions = Table(
    "session",
    metadata,
    Column("sid", Text, nullable=False),
    Column("sess", JSONB, nullable=False),
    Column("expire", TIMESTAMP(timezone=True, precision=6), nullable=False),
    Column(
        "user_id",
        Text,
        # Cut, as some apps keep a whole object there: too long for the index, it would make their writes fail.
        Computed("left(COALESCE(sess ->> 'userId'::text, sess #>> '{passport,user}'::text[]), 200)", persisted=True),
    ),
    Column("session_id", Uuid, nullable=False, server_default=text("gen_random_uuid()")),
    by_database_clock("created_at"),
    by_database_clock("last_seen_at"),
    by_database_clock("auth_time"),
    Column("ip", INET),
    Column("user_agent", Text),
    Column("absolute_expires_at", DateTime(timezone=True), nullable=False),
    # How they signed in, as RFC 8176 names it; empty for the sessions of Express apps.
    Column("amr", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("device_name", Text),
    PrimaryKeyConstraint("sid", name="session_pkey"),
    UniqueConstraint("session_id"),
    # Express answers 500 to every request with a session that has none.
    CheckConstraint("jsonb_typeof(sess -> 'cookie') IS NOT DISTINCT FROM 'object'", name="cookie"),
    Index("IDX_session_expire", "expire"),
    Index("ix_session_user_id", "user_id", postgresql_where=text("user_id IS NOT NULL")),
)

# The sids of deleted sessions: a late write by an Express app must not bring one back.
ended_sessions = Table(
    "session_ended",
    metadata,
    Column("sid", Text, nullable=False),
    Column("keep_until", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("sid"),
    Index(None, "keep_until"),
)

# One row, for the triggers: the limit of the sessions that Express apps make.
session_limits = Table(
    "session_limits",
    metadata,
    Column("only_row", Boolean, nullable=False, server_default=text("true")),
    Column("absolute", Interval, nullable=False),
    PrimaryKeyConstraint("only_row"),
    CheckConstraint("only_row", name="only_row"),
)
