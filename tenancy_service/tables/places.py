"""Organizations, their members and projects. Every key begins with organization_id: one tenant's rows stay together,
and can be distributed by it.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import JSONB

from shared.schema import by_database_clock
from tenancy_service.tables.schema import ORG_ROLES, PROJECT_ROLES, metadata, version


def metadata_columns() -> tuple[Column[object], Column[object]]:
    """For the product: the one for all who see the row, the other for services."""
    return (
        Column("public_metadata", JSONB, nullable=False, server_default=text("'{}'")),
        Column("private_metadata", JSONB, nullable=False, server_default=text("'{}'")),
    )


organizations = Table(
    "organizations",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("slug", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("default_project_role", Text, nullable=False, server_default="VIEWER"),
    version(),
    by_database_clock("create_time"),
    by_database_clock("update_time"),
    Column("delete_time", DateTime(timezone=True)),
    Column("purge_time", DateTime(timezone=True)),
    *metadata_columns(),
    # Its last owner is gone and nobody could succeed them.
    Column("ownerless_time", DateTime(timezone=True)),
    PrimaryKeyConstraint("organization_id"),
    UniqueConstraint("slug"),
    CheckConstraint(f"default_project_role IN {PROJECT_ROLES}", name="default_project_role"),
    CheckConstraint("(delete_time IS NULL) = (purge_time IS NULL)", name="deleted_until_purge"),
    Index(None, "purge_time", postgresql_where=text("purge_time IS NOT NULL")),
    Index(None, "ownerless_time", postgresql_where=text("ownerless_time IS NOT NULL")),
)

# Every slug that an organization has or had: an old one keeps leading to it, and to nobody else. create_time is when
# it got it, for the last time.
organization_slugs = Table(
    "organization_slugs",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("slug", Text, nullable=False),
    by_database_clock("create_time"),
    PrimaryKeyConstraint("organization_id", "slug"),
    UniqueConstraint("slug"),
    ForeignKeyConstraint(["organization_id"], ["organizations.organization_id"], ondelete="CASCADE"),
)

organization_members = Table(
    "organization_members",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("role", Text, nullable=False),
    Column("expire_time", DateTime(timezone=True)),
    version(),
    by_database_clock("create_time"),
    by_database_clock("update_time"),
    PrimaryKeyConstraint("organization_id", "user_id"),
    ForeignKeyConstraint(["organization_id"], ["organizations.organization_id"], ondelete="CASCADE"),
    CheckConstraint(f"role IN {ORG_ROLES}", name="role"),
    CheckConstraint("role <> 'OWNER' OR expire_time IS NULL", name="owners_do_not_expire"),
    Index(None, "user_id", "organization_id"),
)

projects = Table(
    "projects",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("slug", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    version(),
    by_database_clock("create_time"),
    by_database_clock("update_time"),
    Column("delete_time", DateTime(timezone=True)),
    Column("purge_time", DateTime(timezone=True)),
    *metadata_columns(),
    PrimaryKeyConstraint("organization_id", "project_id"),
    ForeignKeyConstraint(["organization_id"], ["organizations.organization_id"], ondelete="CASCADE"),
    UniqueConstraint("organization_id", "slug", name="uq_projects_slug"),
    CheckConstraint("(delete_time IS NULL) = (purge_time IS NULL)", name="deleted_until_purge"),
    Index(None, "purge_time", postgresql_where=text("purge_time IS NOT NULL")),
    # Not unique: a distributed table could not hold it so, and a UUIDv7 needs no help.
    Index(None, "project_id"),
)

project_members = Table(
    "project_members",
    metadata,
    Column("organization_id", Uuid, nullable=False),
    Column("project_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("inherited_from_org", Boolean, nullable=False, server_default=text("true")),
    Column("role", Text),
    Column("expire_time", DateTime(timezone=True)),
    Column("set_by_user_id", Uuid),
    Column("set_by_service", Text),
    by_database_clock("create_time"),
    by_database_clock("update_time"),
    PrimaryKeyConstraint("organization_id", "project_id", "user_id"),
    ForeignKeyConstraint(
        ["organization_id", "project_id"],
        ["projects.organization_id", "projects.project_id"],
        ondelete="CASCADE",
    ),
    # Removing a member removes their overrides, so that adding them again revives nothing.
    ForeignKeyConstraint(
        ["organization_id", "user_id"],
        ["organization_members.organization_id", "organization_members.user_id"],
        ondelete="CASCADE",
    ),
    CheckConstraint(f"role IN {PROJECT_ROLES}", name="role"),
    CheckConstraint("inherited_from_org = (role IS NULL)", name="role_exactly_when_not_inherited"),
    # All three columns in both orders: whichever the planner takes, a look-up of one row reads one row.
    Index(None, "organization_id", "user_id", "project_id"),
)
