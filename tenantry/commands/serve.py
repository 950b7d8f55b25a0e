"""`tenantry up`, `tenantry serve` and `tenantry gateway`: run the pair here, or one part of it anywhere."""

import os
import sys
from pathlib import Path

import click

PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--identity-port", type=PORT, default=50051, show_default=True, envvar="IDENTITY_PORT", show_envvar=True)
@click.option("--tenancy-port", type=PORT, default=50052, show_default=True, envvar="TENANCY_PORT", show_envvar=True)
@click.option("--gateway", is_flag=True, envvar="GATEWAY", show_envvar=True, help="Also Envoy: REST, gRPC-Web.")
@click.option("--gateway-port", type=PORT, default=8080, show_default=True, envvar="GATEWAY_PORT", show_envvar=True)
@click.option(
    "--apis",
    type=click.Path(exists=True, dir_okay=False),
    envvar="GATEWAY_APIS",
    show_envvar=True,
    help="APIs of yours behind the gateway, with what each route needs: docs/protect-an-api.md.",
)
@click.pass_obj
def up(began: float, identity_port: int, tenancy_port: int, gateway: bool, gateway_port: int, apis: str | None) -> None:
    """Run both services here, on a PostgreSQL of their own, until Ctrl-C.

    Data, logs, secrets and run.json lie in .tenantry of the project, or in TENANTRY_DATA_DIR. Port 0 means
    any free one. Settings of the services that are in the environment (such as SESSION_IDLE_SECONDS) reach them.
    """
    from tenantry.up import up as run_up

    ports = {"identity": identity_port, "tenancy": tenancy_port, **({"gateway": gateway_port} if gateway else {})}
    if apis:
        os.environ["GATEWAY_APIS"] = str(Path(apis).absolute())
    run_up(ports, began)


@click.command()
@click.option("--check", is_flag=True, help="Only write the configuration and let Envoy say whether it is right.")
def gateway(check: bool) -> None:
    """Run Envoy in front of both services with the settings of the environment, as in production."""
    from shared.settings import load
    from tenantry.gateway import envoy
    from tenantry.gateway.settings import GatewaySettings
    from tenantry.project import data_folder

    settings, folder = load(GatewaySettings), data_folder() / "gateway"
    if check:
        sys.exit(envoy.check(settings, folder))
    envoy.run(settings, folder)


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
