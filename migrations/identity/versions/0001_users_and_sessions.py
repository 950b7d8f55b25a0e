"""Users and sessions.

An Express app may have made its `session` table first: it is converted with its live rows. Those stay
valid, for no longer than the absolute limit from now. When their people signed in is not known: long ago.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_users()
    create_request_results()
    create_tables_of_triggers()
    if sa.inspect(op.get_bind()).has_table("session"):
        take_over_from_express()
    else:
        op.execute("""
            CREATE TABLE session (
                sid text CONSTRAINT session_pkey PRIMARY KEY,
                sess jsonb NOT NULL,
                expire timestamptz(6) NOT NULL)""")
    complete_session()
    create_triggers()


def downgrade() -> None:
    raise NotImplementedError("forward only: Express apps may hold sessions in this table")


def create_users() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text()),
        sa.Column("state", sa.Text(), server_default="ACTIVE", nullable=False),
        sa.Column("email_verified_time", sa.DateTime(timezone=True)),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_users"),
        sa.UniqueConstraint("email_key", name="uq_users_email_key"),
        sa.UniqueConstraint("external_id", name="uq_users_external_id"),
        sa.CheckConstraint("state IN ('ACTIVE', 'SUSPENDED')", name=op.f("ck_users_state")),
    )


def create_request_results() -> None:
    op.create_table(
        "request_results",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("response", sa.LargeBinary()),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("caller", "method", "request_id", name="pk_request_results"),
    )
    op.create_index("ix_request_results_create_time", "request_results", ["create_time"])


def create_tables_of_triggers() -> None:
    op.create_table(
        "session_ended",
        sa.Column("sid", sa.Text(), nullable=False),
        sa.Column("keep_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sid", name="pk_session_ended"),
    )
    op.create_index("ix_session_ended_keep_until", "session_ended", ["keep_until"])
    op.create_table(
        "session_limits",
        sa.Column("only_row", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("absolute", sa.Interval(), nullable=False),
        sa.PrimaryKeyConstraint("only_row", name="pk_session_limits"),
        sa.CheckConstraint("only_row", name=op.f("ck_session_limits_only_row")),
    )
    # Identity writes its SESSION_ABSOLUTE_SECONDS there at start.
    op.execute("INSERT INTO session_limits (absolute) VALUES ('12 hours')")


def take_over_from_express() -> None:
    """From connect-pg-simple's own table: varchar, json, and a timestamp without time zone."""
    bind = op.get_bind()
    # What jsonb refuses (NUL, half a surrogate pair) or Express itself cannot use (no cookie) is no session.
    op.execute("""
        CREATE FUNCTION is_usable_session(sess text) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            RETURN coalesce(jsonb_typeof(sess::jsonb -> 'cookie') = 'object', false);
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            RETURN false;
        END $$""")
    op.execute("DELETE FROM session WHERE NOT is_usable_session(sess::text)")
    op.execute("DROP FUNCTION is_usable_session")
    changes = ["ALTER COLUMN sid TYPE text", "ALTER COLUMN sess TYPE jsonb USING sess::text::jsonb"]
    types = {column["name"]: column["type"] for column in sa.inspect(bind).get_columns("session")}
    if not getattr(types["expire"], "timezone", False):
        zone = bind.scalar(sa.text("SELECT quote_literal(:zone)"), {"zone": time_zone_of_express(bind)})
        changes.append(f"ALTER COLUMN expire TYPE timestamptz(6) USING expire AT TIME ZONE {zone}")
    op.execute(f"ALTER TABLE session {', '.join(changes)}")
    # The triggers run with the rights of whoever writes, and a failure would be silent in Express.
    writers = """
        SELECT DISTINCT CASE grantee WHEN 'PUBLIC' THEN grantee ELSE quote_ident(grantee) END
          FROM information_schema.role_table_grants
         WHERE table_name = 'session' AND table_schema = current_schema()"""
    for writer in bind.scalars(sa.text(writers)).all():
        op.execute(f"GRANT SELECT, INSERT ON session_ended TO {writer}")
        op.execute(f"GRANT SELECT ON session_limits TO {writer}")


def time_zone_of_express(bind: sa.Connection) -> str:
    """connect-pg-simple wrote `expire` in the zone of its connection: of the role that made the table, the
    database or the server, in this order. Ours may be another.
    """
    zone: str = bind.execute(
        sa.text("""
            SELECT coalesce(
                (SELECT split_part(setting, '=', 2)
                   FROM pg_db_role_setting, unnest(setconfig) AS setting
                  WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                    AND setrole IN (0, (SELECT relowner FROM pg_class WHERE oid = 'session'::regclass))
                    AND lower(setting) LIKE 'timezone=%'
                  ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC
                  LIMIT 1),
                (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'))""")
    ).scalar_one()
    return zone


def complete_session() -> None:
    """What connect-pg-simple does not know of: generated, defaulted, nullable, or filled by a trigger."""
    op.execute("""
        ALTER TABLE session
            ADD COLUMN user_id text
                GENERATED ALWAYS AS (left(COALESCE(sess ->> 'userId', sess #>> '{passport,user}'), 200)) STORED,
            ADD COLUMN session_id uuid NOT NULL DEFAULT gen_random_uuid(),
            ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(),
            ADD COLUMN last_seen_at timestamptz NOT NULL DEFAULT now(),
            ADD COLUMN auth_time timestamptz NOT NULL DEFAULT now(),
            ADD COLUMN ip inet,
            ADD COLUMN user_agent text,
            ADD COLUMN absolute_expires_at timestamptz,
            ADD CONSTRAINT uq_session_session_id UNIQUE (session_id),
            ADD CONSTRAINT ck_session_cookie
                CHECK (jsonb_typeof(sess -> 'cookie') IS NOT DISTINCT FROM 'object')""")
    op.execute('CREATE INDEX IF NOT EXISTS "IDX_session_expire" ON session (expire)')
    op.execute("CREATE INDEX ix_session_user_id ON session (user_id) WHERE user_id IS NOT NULL")
    op.execute("""
        UPDATE session
           SET auth_time = to_timestamp(0),
               absolute_expires_at = date_trunc('second', now() + absolute),
               expire = LEAST(expire, date_trunc('second', now() + absolute))
          FROM session_limits""")
    op.execute("ALTER TABLE session ALTER COLUMN absolute_expires_at SET NOT NULL")


def create_triggers() -> None:
    """They hold for every writer, Express and its touches included."""
    create_trigger(
        "session_before_insert",
        "BEFORE INSERT ON session FOR EACH ROW",
        """
        IF EXISTS (SELECT FROM session_ended WHERE sid = NEW.sid) THEN
            RETURN NULL;  -- a late write: without an error, as Express would not tell anybody
        END IF;
        IF NEW.absolute_expires_at IS NULL THEN
            NEW.absolute_expires_at := date_trunc('second', now() + (SELECT absolute FROM session_limits));
        END IF;
        NEW.expire := LEAST(NEW.expire, NEW.absolute_expires_at);
        RETURN NEW;""",
    )
    # An upsert that waited for the deletion of its row inserts after BEFORE INSERT has looked.
    create_trigger(
        "session_after_insert",
        "AFTER INSERT ON session FOR EACH ROW",
        """
        DELETE FROM session
         WHERE sid = NEW.sid AND EXISTS (SELECT FROM session_ended WHERE sid = NEW.sid);
        RETURN NULL;""",
    )
    create_trigger(
        "session_before_update",
        "BEFORE UPDATE ON session FOR EACH ROW",
        """
        NEW.expire := LEAST(NEW.expire, NEW.absolute_expires_at);
        RETURN NEW;""",
    )
    create_trigger(
        "session_after_delete",
        "AFTER DELETE ON session REFERENCING OLD TABLE AS ended FOR EACH STATEMENT",
        """
        INSERT INTO session_ended (sid, keep_until)
        SELECT sid, now() + interval '1 day' FROM ended ORDER BY sid
            ON CONFLICT (sid) DO NOTHING;
        RETURN NULL;""",
    )


def create_trigger(name: str, when: str, body: str) -> None:
    """With a search path of its own: Express may come from another one."""
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, {schema}, pg_temp"
        f" AS $$ BEGIN {body} END $$"
    )
    op.execute(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {name}()")
