"""Users, and what they prove themselves with. Everything about a user goes with their row."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import JSONB

from identity_service.tables.schema import metadata
from shared.schema import by_database_clock

NOT_DELETED = text("state <> 'DELETED'")

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
    Column("public_metadata", JSONB, nullable=False, server_default=text("'{}'")),
    Column("private_metadata", JSONB, nullable=False, server_default=text("'{}'")),
    Column("has_second_factor", Boolean, nullable=False, server_default=text("false")),
    # Long enough only beside a second factor, which therefore cannot be taken away before it is changed.
    Column("password_is_short", Boolean, nullable=False, server_default=text("false")),
    # Survives a deletion, so that undeleting does not lift a suspension.
    Column("suspend_time", DateTime(timezone=True)),
    Column("delete_time", DateTime(timezone=True)),
    Column("purge_time", DateTime(timezone=True)),
    PrimaryKeyConstraint("user_id"),
    CheckConstraint("state IN ('ACTIVE', 'SUSPENDED', 'DELETED')", name="state"),
    CheckConstraint("(state = 'DELETED') = (delete_time IS NOT NULL)", name="delete_time"),
    # A deleted account keeps neither its address nor its external id from others.
    Index("uq_users_email_key", "email_key", unique=True, postgresql_where=NOT_DELETED),
    Index("uq_users_external_id", "external_id", unique=True, postgresql_where=NOT_DELETED),
    # For ListUsers: its order, alone and within a state; prefixes of addresses.
    Index("ix_users_create_time", "create_time", "user_id"),
    Index("ix_users_state", "state", "create_time", "user_id"),
    Index("ix_users_email_prefix", "email_key", postgresql_ops={"email_key": "text_pattern_ops"}),
    Index("ix_users_purge_time", "purge_time", postgresql_where=text("purge_time IS NOT NULL")),
)


def of_user(*, nullable: bool = False) -> Column[object]:
    """Gone with the user's row."""
    return Column("user_id", Uuid, ForeignKey("users.user_id", ondelete="CASCADE"), nullable=nullable)


# What a mail or a first step hands out: SHA-256 of 256 random bits, good once and not for long. The hash comes
# when the mail leaves, so that nothing in the database opens anything.
one_time_tokens = Table(
    "one_time_tokens",
    metadata,
    Column("token_id", Uuid, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("token_hash", LargeBinary),
    # Null for a sign-up: the account is made when the token comes back.
    of_user(nullable=True),
    Column("email", Text),
    Column("password_hash", Text),
    Column("display_name", Text),
    Column("expire_time", DateTime(timezone=True), nullable=False),
    by_database_clock("create_time"),
    PrimaryKeyConstraint("token_id"),
    UniqueConstraint("token_hash"),
    CheckConstraint(
        "purpose IN ('SIGN_UP', 'EMAIL_VERIFICATION', 'EMAIL_CHANGE', 'PASSWORD_RESET', 'SECOND_FACTOR')",
        name="purpose",
    ),
    Index(None, "user_id"),
    Index(None, "expire_time"),
    # Sign-ups belong to no user; those of an address go together.
    Index("ix_one_time_tokens_sign_up", text('lower(email COLLATE "C")'), postgresql_where=text("purpose = 'SIGN_UP'")),
)

# GCRA: the time from which on the next try is allowed, by the hash of what is limited.
login_throttle = Table(
    "login_throttle",
    metadata,
    Column("key", LargeBinary, nullable=False),
    Column("allowed_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("key"),
    Index(None, "allowed_at"),
)

# SHA-256 of the device tokens and sources that somebody has signed in with before.
known_devices = Table(
    "known_devices",
    metadata,
    of_user(),
    Column("device_hash", LargeBinary, nullable=False),
    by_database_clock("last_used_time"),
    PrimaryKeyConstraint("user_id", "device_hash"),
    Index(None, "last_used_time"),
)

totp_factors = Table(
    "totp_factors",
    metadata,
    of_user(),
    # Encrypted under FACTOR_SECRETS.
    Column("secret", LargeBinary, nullable=False),
    Column("confirmed_time", DateTime(timezone=True)),
    # A code counts once: later ones only.
    Column("last_used_step", BigInteger, nullable=False, server_default=text("0")),
    by_database_clock("create_time"),
    PrimaryKeyConstraint("user_id"),
)

# Deleted when used.
recovery_codes = Table(
    "recovery_codes",
    metadata,
    of_user(),
    Column("code_hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("user_id", "code_hash"),
)
