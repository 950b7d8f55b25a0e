"""Invitations with their mails, slugs that stay, metadata, expiry.

Only expands: what runs on 0001 goes on beside it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

NOW = sa.text("now()")
NO_JSON = sa.text("'{}'")


def upgrade() -> None:
    expand_places()
    create_organization_slugs()
    create_invitations()
    create_outbox_emails()


def downgrade() -> None:
    raise NotImplementedError("forward only: what the new tables hold would be lost")


def expand_places() -> None:
    op.add_column(
        "organizations", sa.Column("public_metadata", postgresql.JSONB(), server_default=NO_JSON, nullable=False)
    )
    op.add_column(
        "organizations", sa.Column("private_metadata", postgresql.JSONB(), server_default=NO_JSON, nullable=False)
    )
    op.add_column("organizations", sa.Column("ownerless_time", sa.DateTime(timezone=True)))
    op.create_index(
        op.f("ix_organizations_ownerless_time"),
        "organizations",
        ["ownerless_time"],
        postgresql_where=sa.text("ownerless_time IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_organizations_purge_time"),
        "organizations",
        ["purge_time"],
        postgresql_where=sa.text("purge_time IS NOT NULL"),
    )
    op.add_column("project_members", sa.Column("expire_time", sa.DateTime(timezone=True)))
    op.add_column("project_members", sa.Column("set_by_user_id", sa.Uuid()))
    op.add_column("project_members", sa.Column("set_by_service", sa.Text()))
    op.add_column("projects", sa.Column("public_metadata", postgresql.JSONB(), server_default=NO_JSON, nullable=False))
    op.add_column("projects", sa.Column("private_metadata", postgresql.JSONB(), server_default=NO_JSON, nullable=False))
    op.create_index(
        op.f("ix_projects_purge_time"), "projects", ["purge_time"], postgresql_where=sa.text("purge_time IS NOT NULL")
    )
    for table in ("organizations", "projects"):
        op.create_check_constraint(
            op.f(f"ck_{table}_deleted_until_purge"), table, "(delete_time IS NULL) = (purge_time IS NULL)"
        )
    op.create_check_constraint(
        op.f("ck_organization_members_owners_do_not_expire"),
        "organization_members",
        "role <> 'OWNER' OR expire_time IS NULL",
    )


def create_organization_slugs() -> None:
    op.create_table(
        "organization_slugs",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_organization_slugs_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "slug", name=op.f("pk_organization_slugs")),
        sa.UniqueConstraint("slug", name=op.f("uq_organization_slugs_slug")),
    )
    op.execute("INSERT INTO organization_slugs (organization_id, slug) SELECT organization_id, slug FROM organizations")
    schema = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    # By a trigger, as servers of the version before write organizations too. Another's slug is a violated constraint.
    op.execute(f"""
        CREATE FUNCTION keep_organization_slug() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO {schema}.organization_slugs (organization_id, slug) VALUES (NEW.organization_id, NEW.slug)
                ON CONFLICT (organization_id, slug) DO UPDATE SET create_time = EXCLUDED.create_time;
            RETURN NULL;
        END $$""")  # noqa: S608 - the name of the schema
    op.execute("""
        CREATE TRIGGER keep_organization_slug AFTER INSERT OR UPDATE OF slug ON organizations
        FOR EACH ROW EXECUTE FUNCTION keep_organization_slug()""")


def create_invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("invitation_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("inviter_user_id", sa.Uuid()),
        sa.Column("inviter_service", sa.Text()),
        sa.Column("secret_hash", sa.LargeBinary()),
        sa.Column("accepted_user_id", sa.Uuid()),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('OWNER', 'ADMIN', 'MEMBER', 'GUEST')", name=op.f("ck_invitations_role")),
        sa.CheckConstraint(
            "state IN ('PENDING', 'ACCEPTED', 'DECLINED', 'REVOKED', 'EXPIRED')", name=op.f("ck_invitations_state")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.organization_id"],
            name=op.f("fk_invitations_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "invitation_id", name=op.f("pk_invitations")),
    )
    op.create_index(op.f("ix_invitations_email_key"), "invitations", ["email_key", "invitation_id"])
    op.create_index(op.f("ix_invitations_expire_time"), "invitations", ["expire_time"])
    op.create_index(op.f("ix_invitations_invitation_id"), "invitations", ["invitation_id"])
    op.create_index(
        "ix_invitations_inviter",
        "invitations",
        ["organization_id", "inviter_user_id"],
        postgresql_where=sa.text("state = 'PENDING'"),
    )
    op.create_index(op.f("ix_invitations_secret_hash"), "invitations", ["secret_hash"])
    op.create_index(
        "uq_invitations_pending",
        "invitations",
        ["organization_id", "email_key"],
        unique=True,
        postgresql_where=sa.text("state = 'PENDING'"),
    )
    op.create_table(
        "invitation_project_roles",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("invitation_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "role IN ('ADMIN', 'EDITOR', 'VIEWER', 'NONE')", name=op.f("ck_invitation_project_roles_role")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id", "invitation_id"],
            ["invitations.organization_id", "invitations.invitation_id"],
            name="fk_invitation_project_roles_invitations",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "organization_id", "invitation_id", "project_id", name=op.f("pk_invitation_project_roles")
        ),
    )


def create_outbox_emails() -> None:
    op.create_table(
        "outbox_emails",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("email_id", sa.Uuid(), nullable=False),
        sa.Column("invitation_id", sa.Uuid(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("shown", postgresql.JSONB(), server_default=NO_JSON, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_attempt_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("sent_time", sa.DateTime(timezone=True)),
        sa.Column("dead_time", sa.DateTime(timezone=True)),
        sa.Column("last_error", sa.Text()),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id", "invitation_id"],
            ["invitations.organization_id", "invitations.invitation_id"],
            name="fk_outbox_emails_invitations",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_id", "email_id", name=op.f("pk_outbox_emails")),
    )
    op.create_index(
        "ix_outbox_emails_due",
        "outbox_emails",
        ["next_attempt_time"],
        postgresql_where=sa.text("sent_time IS NULL AND dead_time IS NULL"),
    )
    op.create_index("ix_outbox_emails_invitation", "outbox_emails", ["organization_id", "invitation_id"])
