"""`tenantry up` and `tenantry serve`: run the pair here, or one service anywhere."""

import os
import sys

import click

PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--identity-port", type=PORT, default=50051, show_default=True, envvar="IDENTITY_PORT", show_envvar=True)
@click.option("--tenancy-port", type=PORT, default=50052, show_default=True, envvar="TENANCY_PORT", show_envvar=True)
@click.pass_obj
def up(began: float, identity_port: int, tenancy_port: int) -> None:
    """Run both services here, on a PostgreSQL of their own, until Ctrl-C.

    Data, logs, secrets and run.json lie in .tenantry of the project, or in TENANTRY_DATA_DIR. Port 0 means
    any free one. Settings of the services that are in the environment (such as SESSION_IDLE_SECONDS) reach them.
    """
    from tenantry.up import up as run_up

    run_up(identity_port, tenancy_port, began)


@click.command()
@click.argument("service", type=click.Choice(["identity", "tenancy"]))
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    envvar="WORKERS",
    show_envvar=True,
    help="So many processes on one port, with a supervisor; without it one process, without.",
)
def serve(service: str, workers: int | None) -> None:
    """Run one service with the settings of the environment, as in production.

    With --workers a supervisor starts so many processes, follows one that dies with another, replaces all of them one
    by one on SIGHUP, and drains them on SIGTERM.
    """
    if workers is not None:
        from tenantry.workers import serve_with_workers

        sys.exit(serve_with_workers(service, workers))
    os.execv(sys.executable, [sys.executable, "-m", f"{service}_service"])  # noqa: S606
