"""Bring the databases to the newest schema with Alembic; concurrent runs wait for each other."""

import hashlib
from collections.abc import Iterable, Mapping

from tenantry.database_urls import SERVICES, Passwords, owner_url
from tenantry.project import CODE

MIGRATIONS = CODE / "migrations"
OWNER_URLS = {"identity": "IDENTITY_MIGRATION_URL", "tenancy": "TENANCY_MIGRATION_URL"}


def migrate(service: str, owner_url: str) -> None:
    """One service's database, as the role that owns it."""
    from alembic import command
    from alembic.config import Config

    config = Config(MIGRATIONS / "alembic.ini", ini_section=service)
    config.attributes["url"] = owner_url
    command.upgrade(config, "head")


def warm_up() -> None:
    """Import what `migrate` will need, half a second's worth."""
    import alembic.command

    import identity_service.tables
    import tenancy_service.tables
    import tenantry.provision

    del alembic, identity_service, tenancy_service, tenantry


def fingerprint() -> str:
    """Changes with every migration; equal to the one of the last start, there is nothing to migrate."""
    digest = hashlib.sha256()
    for path in sorted(MIGRATIONS.rglob("*.py")):
        digest.update(path.relative_to(MIGRATIONS).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def owner_urls(services: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """From the environment, after creating roles and databases if it holds POSTGRES_ADMIN_URL.

    KeyError names the variable that is missing.
    """
    if "POSTGRES_ADMIN_URL" not in environment:
        return {service: environment[OWNER_URLS[service]] for service in services}
    from tenantry.provision import provision

    passwords = {
        service: Passwords(
            service=environment[f"{service.upper()}_DATABASE_PASSWORD"],
            owner=environment[f"{service.upper()}_OWNER_PASSWORD"],
        )
        for service in SERVICES
    }
    provision(environment["POSTGRES_ADMIN_URL"], passwords)
    return {service: owner_url(environment["POSTGRES_ADMIN_URL"], service, passwords) for service in services}
