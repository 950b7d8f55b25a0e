"""`tenantry migrate`: bring databases to the newest schema."""

import os

import click

from tenantry.failures import NOT_REACHED, WRONG_USE, Failure


@click.command()
@click.argument("service", required=False, type=click.Choice(["identity", "tenancy"]))
def migrate(service: str | None) -> None:
    """Bring one database, or both, to the newest schema.

    \b
    Which ones is taken from the first of these that is there:
      POSTGRES_ADMIN_URL       creates the roles and databases first; needs also
                               IDENTITY_DATABASE_PASSWORD, IDENTITY_OWNER_PASSWORD,
                               TENANCY_DATABASE_PASSWORD, TENANCY_OWNER_PASSWORD
      IDENTITY_MIGRATION_URL,  databases that exist, as the roles that own them
      TENANCY_MIGRATION_URL
      a running `tenantry up`  its databases

    Safe to repeat, and safe to run several times at once.
    """
    import psycopg

    from tenantry import migrate as migrations

    services = [service] if service else ["identity", "tenancy"]
    try:
        urls = _local_urls(services) or migrations.owner_urls(services, os.environ)
        for name, url in urls.items():
            migrations.migrate(name, url)
            click.echo(f"{name} is at the newest schema")
    except KeyError as missing:
        raise Failure(f"{missing.args[0]} is not set", WRONG_USE, "see: tenantry migrate --help") from None
    except (psycopg.OperationalError, TimeoutError) as error:
        raise Failure(str(error).strip(), NOT_REACHED) from None
    except Exception as error:
        if isinstance(getattr(error, "orig", None), psycopg.OperationalError):
            raise Failure(str(error.orig).strip(), NOT_REACHED) from None  # type: ignore[attr-defined]
        raise


def _local_urls(services: list[str]) -> dict[str, str]:
    """Of the running pair, unless the environment names databases."""
    from tenantry import local_secrets, run_state
    from tenantry.database_urls import owner_url
    from tenantry.migrate import OWNER_URLS

    if any(name in os.environ for name in ("POSTGRES_ADMIN_URL", *OWNER_URLS.values())):
        return {}
    folder = run_state.nearest_folder()
    state = run_state.read(folder) if folder else None
    if not folder or not state:
        return {}
    passwords = local_secrets.load_or_make(folder / "secrets.json").passwords()
    return {name: owner_url(state["identity"]["database_url"], name, passwords) for name in services}
