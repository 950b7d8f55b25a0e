"""`tenantry demo`: the main job on real input."""

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One object for each answer.")
def demo(as_json: bool) -> None:
    """Tell the whole story in one screen, and check every answer of it.

    Runs against the nearest running pair (or IDENTITY_ADDRESS, TENANCY_ADDRESS, TENANTRY_SERVICE_KEY); where
    none runs, starts one of its own with data that is thrown away.
    """
    from tenantry.demo import run

    run(as_json)
