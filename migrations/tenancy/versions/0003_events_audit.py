"""Events, audit, and how far identity is followed. Only expands."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from shared.schema import Xid8

revision = "0003"
down_revision = "0002"

NOW = sa.text("now()")
NO_JSON = sa.text("'{}'")


def upgrade() -> None:
    create_events()
    create_audit_events()
    create_followed_identity()


def downgrade() -> None:
    raise NotImplementedError("forward only: what the new tables hold would be lost")


def create_events() -> None:
    op.create_table(
        "event_epoch",
        sa.Column("only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.CheckConstraint("only_row", name=op.f("ck_event_epoch_only_row")),
        sa.PrimaryKeyConstraint("only_row", name=op.f("pk_event_epoch")),
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
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid()),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("message", sa.LargeBinary()),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_create_time"), "events", ["create_time"])
    op.create_index("ix_events_order", "events", ["epoch", "xid", "event_id"])
    op.create_index(op.f("ix_events_organization_id"), "events", ["organization_id", "epoch", "xid"])
    # Who waited for another's change in the same organization may have the lower number: their event still comes
    # after it.
    op.execute(f"""
        CREATE FUNCTION events_in_order_of_organization() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.xid := GREATEST(NEW.xid, (
                SELECT pg_catalog.max(earlier.xid) FROM {schema}.events earlier
                 WHERE earlier.organization_id = NEW.organization_id AND earlier.epoch = NEW.epoch));
            RETURN NEW;
        END $$""")  # noqa: S608 - the name of the schema
    op.execute("""
        CREATE TRIGGER events_in_order_of_organization BEFORE INSERT ON events
        FOR EACH ROW EXECUTE FUNCTION events_in_order_of_organization()""")


def create_audit_events() -> None:
    op.create_table(
        "audit_events",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("audit_event_id", sa.Uuid(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Uuid()),
        sa.Column("target_user_id", sa.Uuid()),
        sa.Column("invitation_id", sa.Uuid()),
        sa.Column("actor_user_id", sa.Uuid()),
        sa.Column("actor_service", sa.Text()),
        sa.Column("session_id", sa.Uuid()),
        sa.Column("ip", postgresql.INET()),
        sa.Column("user_agent", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("details", postgresql.JSONB(), server_default=NO_JSON, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "audit_event_id", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_actor", "audit_events", ["organization_id", "actor_user_id", "audit_event_id"])
    op.create_index(op.f("ix_audit_events_audit_event_id"), "audit_events", ["audit_event_id"])
    op.create_index("ix_audit_events_target", "audit_events", ["organization_id", "target_user_id", "audit_event_id"])
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


def create_followed_identity() -> None:
    op.create_table(
        "identity_cursor",
        sa.Column("only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("cursor", sa.Text()),
        sa.Column("update_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("holder", sa.Uuid()),
        sa.Column("hold_until", sa.DateTime(timezone=True)),
        sa.CheckConstraint("only_row", name=op.f("ck_identity_cursor_only_row")),
        sa.PrimaryKeyConstraint("only_row", name=op.f("pk_identity_cursor")),
    )
    op.execute("INSERT INTO identity_cursor DEFAULT VALUES")
    op.create_table(
        "users_to_check",
        sa.Column("check_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("check_id", name=op.f("pk_users_to_check")),
    )
    op.create_table(
        "set_aside_events",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_set_aside_events")),
    )
    op.create_table(
        "user_names",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_user_names")),
    )
    op.create_index(
        "ix_user_names_email_key", "user_names", ["email_key"], postgresql_ops={"email_key": "text_pattern_ops"}
    )
    op.create_index(
        "ix_user_names_name_key", "user_names", ["name_key"], postgresql_ops={"name_key": "text_pattern_ops"}
    )
