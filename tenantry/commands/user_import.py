"""`tenantry users import`."""

import click


@click.command("import")
def import_file() -> None:
    """x"""
