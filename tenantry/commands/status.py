"""`tenantry status`: is the pair serving, and where."""

import json

import click

from tenantry.failures import NOT_REACHED

STATES = {True: "serving", False: "not serving", None: "not reachable"}


@click.command()
@click.argument("service", required=False, type=click.Choice(["identity", "tenancy"]))
@click.option("--json", "as_json", is_flag=True, help="One object.")
@click.option("--env", "as_env", is_flag=True, help='Lines for a shell: eval "$(tenantry status --env)".')
@click.pass_context
def status(context: click.Context, service: str | None, as_json: bool, as_env: bool) -> None:
    """Say whether both services, or one, are serving; exit status 3 if not.

    Asks the nearest running pair (`.tenantry/run.json` here or above), elsewhere IDENTITY_ADDRESS and
    TENANCY_ADDRESS.
    """
    from tenantry import banner, client, run_state
    from tenantry.output import print_table

    addresses = run_state.addresses()
    asked = [service] if service else list(addresses)
    serving = {}
    for name in asked:
        with client.connect(addresses[name]) as channel:
            serving[name] = client.is_serving(channel)
    if as_env:
        click.echo("\n".join(banner.shell_lines(addresses, run_state.service_key())))
    elif as_json:
        told = {name: {"address": addresses[name], "serving": serving[name] is True} for name in asked}
        click.echo(json.dumps(told))
    else:
        rows = [(name, addresses[name], STATES[serving[name]]) for name in asked]
        print_table(("service", "address", "state"), rows)
    if not all(serving.values()):
        if not run_state.nearest():
            click.echo("start the pair with: make run", err=True)
        context.exit(NOT_REACHED)
