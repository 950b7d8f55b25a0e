"""The schema. The session table is shared with Express apps: its first three columns are connect-pg-simple's."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Index,
    Integer,
    Interval,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import INET, JSONB, TIMESTAMP

from shared.request_results import request_results_table
from shared.schema import by_database_clock, named_metadata

metadata = named_metadata()

users = Table(
    "users",
    metadata,
    Column("user_id", Uuid, nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("password_hash", Text),
    Column("display_name", Text, nullable=False),
    Column("external_id", Text),
    Column("state", Text, nullable=False, server_default="ACTIVE"),
    Column("email_verified_time", DateTime(timezone=True)),
    Column("version", Integer, nullable=False, server_default="1"),
    by_database_clock("create_time"),
    by_database_clock("update_time"),
    PrimaryKeyConstraint("user_id"),
    UniqueConstraint("email_key"),
    UniqueConstraint("external_id"),
    CheckConstraint("state IN ('ACTIVE', 'SUSPENDED')", name="state"),
)

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

request_results = request_results_table(metadata)
