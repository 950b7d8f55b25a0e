"""What all tables of tenancy have in common."""

from sqlalchemy import Column, Integer

from shared.schema import named_metadata

metadata = named_metadata()

ORG_ROLES = "('OWNER', 'ADMIN', 'MEMBER', 'GUEST')"
PROJECT_ROLES = "('ADMIN', 'EDITOR', 'VIEWER', 'NONE')"


def version() -> Column[int]:
    """Counts the changes of a row; its text is the etag."""
    return Column("version", Integer, nullable=False, server_default="1")
