"""Alembic's entry for the identity database."""

from identity_service.tables import metadata
from migrations import environment

environment.run(metadata, "identity")
