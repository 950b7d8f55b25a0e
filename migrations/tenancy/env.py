"""Alembic's entry for the tenancy database."""

from migrations import environment
from tenancy_service.tables import metadata

environment.run(metadata, "tenancy")
