"""Deleted users, second factors, one-time tokens, throttling, mails, events and audit.

Only expands: what runs on 0001 goes on beside it. A deleted user has a state of their own, so that its check for
ACTIVE refuses them too.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.schema import Xid8

revision = "0002"
down_revision = "0001"

NOW = sa.text("now()")
NO_JSON = sa.text("'{}'")
NOT_DELETED = sa.text("state <> 'DELETED'")


def upgrade() -> None:
    expand_users()
    op.add_column("session", sa.Column("amr", sa.ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'")))
    op.add_column("session", sa.Column("device_name", sa.Text()))
    create_one_time_tokens()
    create_login_throttle()
    create_known_devices()
    create_factors()
    create_events()
    create_audit_events()
    create_outbox_emails()


def downgrade() -> None:
    raise NotImplementedError("forward only: what the new tables hold would be lost")


def expand_users() -> None:
    false = sa.text("false")
    for column in (
        sa.Column("public_metadata", postgresql.JSONB(), nullable=False, server_default=NO_JSON),
        sa.Column("private_metadata", postgresql.JSONB(), nullable=False, server_default=NO_JSON),
        sa.Column("has_second_factor", sa.Boolean(), nullable=False, server_default=false),
        sa.Column("password_is_short", sa.Boolean(), nullable=False, server_default=false),
        sa.Column("suspend_time", sa.DateTime(timezone=True)),
        sa.Column("delete_time", sa.DateTime(timezone=True)),
        sa.Column("purge_time", sa.DateTime(timezone=True)),
    ):
        op.add_column("users", column)
    op.drop_constraint("ck_users_state", "users")
    op.create_check_constraint(op.f("ck_users_state"), "users", "state IN ('ACTIVE', 'SUSPENDED', 'DELETED')")
    op.create_check_constraint(op.f("ck_users_delete_time"), "users", "(state = 'DELETED') = (delete_time IS NOT NULL)")
    # Indexes under the names of the constraints, as the code that runs on 0001 tells a taken address by it.
    op.drop_constraint("uq_users_email_key", "users")
    op.create_index("uq_users_email_key", "users", ["email_key"], unique=True, postgresql_where=NOT_DELETED)
    op.drop_constraint("uq_users_external_id", "users")
    op.create_index("uq_users_external_id", "users", ["external_id"], unique=True, postgresql_where=NOT_DELETED)
    op.create_index("ix_users_create_time", "users", ["create_time", "user_id"])
    op.create_index("ix_users_state", "users", ["state", "create_time", "user_id"])
    patterns = {"email_key": "text_pattern_ops"}
    op.create_index("ix_users_email_prefix", "users", ["email_key"], postgresql_ops=patterns)
    due = sa.text("purge_time IS NOT NULL")
    op.create_index("ix_users_purge_time", "users", ["purge_time"], postgresql_where=due)


def of_user(table: str, *, nullable: bool = False) -> tuple[sa.Column[object], sa.ForeignKeyConstraint]:
    return (
        sa.Column("user_id", sa.Uuid(), nullable=nullable),
        sa.ForeignKeyConstraint(["user_id"], ["users.user_id"], name=f"fk_{table}_users", ondelete="CASCADE"),
    )


def create_one_time_tokens() -> None:
    op.create_table(
        "one_time_tokens",
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary()),
        *of_user("one_time_tokens", nullable=True),
        sa.Column("email", sa.Text()),
        sa.Column("password_hash", sa.Text()),
        sa.Column("display_name", sa.Text()),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("token_id", name="pk_one_time_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_one_time_tokens_token_hash"),
        sa.CheckConstraint(
            "purpose IN ('SIGN_UP', 'EMAIL_VERIFICATION', 'EMAIL_CHANGE', 'PASSWORD_RESET', 'SECOND_FACTOR')",
            name=op.f("ck_one_time_tokens_purpose"),
        ),
    )
    op.create_index("ix_one_time_tokens_user_id", "one_time_tokens", ["user_id"])
    op.create_index("ix_one_time_tokens_expire_time", "one_time_tokens", ["expire_time"])
    is_sign_up = sa.text("purpose = 'SIGN_UP'")
    op.create_index(
        "ix_one_time_tokens_sign_up",
        "one_time_tokens",
        [sa.text('lower(email COLLATE "C")')],
        postgresql_where=is_sign_up,
    )


def create_login_throttle() -> None:
    op.create_table(
        "login_throttle",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("allowed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_login_throttle"),
    )
    op.create_index("ix_login_throttle_allowed_at", "login_throttle", ["allowed_at"])


def create_known_devices() -> None:
    op.create_table(
        "known_devices",
        *of_user("known_devices"),
        sa.Column("device_hash", sa.LargeBinary(), nullable=False),
        sa.Column("last_used_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_hash", name="pk_known_devices"),
    )
    op.create_index("ix_known_devices_last_used_time", "known_devices", ["last_used_time"])


def create_factors() -> None:
    op.create_table(
        "totp_factors",
        *of_user("totp_factors"),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("confirmed_time", sa.DateTime(timezone=True)),
        sa.Column("last_used_step", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_totp_factors"),
    )
    op.create_table(
        "recovery_codes",
        *of_user("recovery_codes"),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name="pk_recovery_codes"),
    )


def create_events() -> None:
    op.create_table(
        "event_epoch",
        sa.Column("only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("only_row", name="pk_event_epoch"),
        sa.CheckConstraint("only_row", name=op.f("ck_event_epoch_only_row")),
    )
    op.execute("INSERT INTO event_epoch (epoch) VALUES (1)")
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    body = "SELECT epoch FROM event_epoch"
    op.execute(
        "CREATE FUNCTION current_event_epoch() RETURNS integer LANGUAGE sql STABLE"
        f" SET search_path = pg_catalog, {schema}, pg_temp AS '{body}'"
    )
    op.create_table(
        "events",
        sa.Column("event_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("epoch", sa.Integer(), server_default=sa.text("current_event_epoch()"), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid()),
        sa.Column("user_message", sa.LargeBinary()),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_events"),
    )
    op.create_index("ix_events_order", "events", ["epoch", "xid", "event_id"])
    op.create_index("ix_events_create_time", "events", ["create_time"])
    op.create_index("ix_events_user_id", "events", ["user_id", "epoch", "xid"])
    # Who waited for another's change of the same user may have the lower number: their event still comes after it.
    op.execute(f"""
        CREATE FUNCTION events_in_order_of_user() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.xid := GREATEST(NEW.xid, (
                SELECT pg_catalog.max(earlier.xid) FROM {schema}.events earlier
                 WHERE earlier.user_id = NEW.user_id AND earlier.epoch = NEW.epoch));
            RETURN NEW;
        END $$""")  # noqa: S608 - the name of the schema
    op.execute("""
        CREATE TRIGGER events_in_order_of_user BEFORE INSERT ON events
        FOR EACH ROW EXECUTE FUNCTION events_in_order_of_user()""")


def create_audit_events() -> None:
    op.create_table(
        "audit_events",
        sa.Column("audit_event_id", sa.Uuid(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("actor_user_id", sa.Uuid()),
        sa.Column("actor_service", sa.Text()),
        sa.Column("session_id", sa.Uuid()),
        sa.Column("ip", postgresql.INET()),
        sa.Column("user_agent", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("details", postgresql.JSONB(), server_default=NO_JSON, nullable=False),
        sa.PrimaryKeyConstraint("audit_event_id", name="pk_audit_events"),
    )
    op.create_index("ix_audit_events_user_id", "audit_events", ["user_id", "audit_event_id"])
    op.create_index("ix_audit_events_action", "audit_events", ["action", "audit_event_id"])
    op.create_index("ix_audit_events_create_time", "audit_events", ["create_time"])
    # Only the owner of the table, who also migrates, may change or delete: to keep to a deployment's retention.
    op.execute("""
        CREATE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
                RAISE EXCEPTION 'audit_events is append-only' USING ERRCODE = 'insufficient_privilege';
            END IF;
            RETURN NULL;
        END $$""")
    op.execute("""
        CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
        FOR EACH STATEMENT EXECUTE FUNCTION audit_events_append_only()""")


def create_outbox_emails() -> None:
    op.create_table(
        "outbox_emails",
        sa.Column("email_id", sa.Uuid(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        *of_user("outbox_emails", nullable=True),
        sa.Column("token_id", sa.Uuid()),
        sa.Column("shown", postgresql.JSONB(), server_default=NO_JSON, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("sent_time", sa.DateTime(timezone=True)),
        sa.Column("dead_time", sa.DateTime(timezone=True)),
        sa.Column("last_error", sa.Text()),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("email_id", name="pk_outbox_emails"),
        sa.ForeignKeyConstraint(
            ["token_id"],
            ["one_time_tokens.token_id"],
            name="fk_outbox_emails_one_time_tokens",
            ondelete="SET NULL",
        ),
    )
    due = sa.text("sent_time IS NULL AND dead_time IS NULL")
    op.create_index("ix_outbox_emails_due", "outbox_emails", ["next_attempt_time"], postgresql_where=due)
    op.create_index("ix_outbox_emails_user_id", "outbox_emails", ["user_id"])
    op.create_index("ix_outbox_emails_token_id", "outbox_emails", ["token_id"])
