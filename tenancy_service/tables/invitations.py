"""Invitations, and the roles on projects that they carry."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)  # fmt: skip

from shared.schema import by_database_clock
from tenancy_service.tables.schema import ORG_ROLES, PROJECT_ROLES, metadata, version

STATES = "('PENDING', 'ACCEPTED', 'DECLINED', 'REVOKED', 'EXPIRED')"

# EXPIRED is stored only where another invitation takes a pending one's place; else it follows from expire_time.
invitations = Table(
    "invitations",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("invitation_id", Uuid, nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="PENDING"),
    Column("inviter_user_id", Uuid),
    Column("inviter_service", Text),
    # SHA-256 of the secret in the mail; none until it is composed.
    Column("secret_hash", LargeBinary),
    Column("accepted_user_id", Uuid),
    version(),
    by_database_clock("create_time"),
    by_database_clock("update_time"),
    Column("expire_time", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("organization_id", "invitation_id"),
    ForeignKeyConstraint(["organization_id"], ["organizations.organization_id"], ondelete="CASCADE"),
    CheckConstraint(f"role IN {ORG_ROLES}", name="role"),
    CheckConstraint(f"state IN {STATES}", name="state"),
    Index(
        "uq_invitations_pending",
        "organization_id",
        "email_key",
        unique=True,
        postgresql_where=text("state = 'PENDING'"),
    ),
    # Found by their id alone, by their secret, and by the address of their recipient.
    Index(None, "invitation_id"),
    Index(None, "secret_hash"),
    Index(None, "email_key", "invitation_id"),
    Index(None, "expire_time"),
    Index("ix_invitations_inviter", "organization_id", "inviter_user_id", postgresql_where=text("state = 'PENDING'")),
)

# No foreign key to projects: one that is gone when the invitation is accepted is told, not forgotten.
invitation_project_roles = Table(
    "invitation_project_roles",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("invitation_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("role", Text, nullable=False),
    PrimaryKeyConstraint("organization_id", "invitation_id", "project_id"),
    ForeignKeyConstraint(
        ["organization_id", "invitation_id"],
        ["invitations.organization_id", "invitations.invitation_id"],
        name="fk_invitation_project_roles_invitations",
        ondelete="CASCADE",
    ),
    CheckConstraint(f"role IN {PROJECT_ROLES}", name="role"),
)
