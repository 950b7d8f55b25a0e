"""The `tenantry` command. What a command needs is imported when it runs: `--help` must be quick."""

import time

BEGAN = time.monotonic()

import click  # noqa: E402

from tenantry.commands.check import check, explain  # noqa: E402
from tenantry.commands.completion import completion  # noqa: E402
from tenantry.commands.demo import demo  # noqa: E402
from tenantry.commands.errors import errors  # noqa: E402
from tenantry.commands.invitations import invitations  # noqa: E402
from tenantry.commands.keys import keys  # noqa: E402
from tenantry.commands.members import members  # noqa: E402
from tenantry.commands.migrate import migrate  # noqa: E402
from tenantry.commands.orgs import orgs  # noqa: E402
from tenantry.commands.permissions import permissions  # noqa: E402
from tenantry.commands.projects import projects  # noqa: E402
from tenantry.commands.reset import reset  # noqa: E402
from tenantry.commands.roles import roles  # noqa: E402
from tenantry.commands.secrets import secrets  # noqa: E402
from tenantry.commands.seed import seed  # noqa: E402
from tenantry.commands.serve import gateway, serve, up  # noqa: E402
from tenantry.commands.sessions import sessions  # noqa: E402
from tenantry.commands.status import status  # noqa: E402
from tenantry.commands.test_access import test  # noqa: E402
from tenantry.commands.users import users  # noqa: E402

EPILOG = """Exit status: 0 yes or done, 1 a "no" or a failed expectation, 2 wrong use, 3 could not reach
(or a port could not be had), 4 refused. Tenantry sends nothing about you to anybody."""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cli(context: click.Context) -> None:
    """Users, sessions, organizations, projects and roles: two gRPC services and one PostgreSQL."""
    context.obj = BEGAN


LOCAL = (up, demo, serve, gateway, migrate, status, reset, seed, test, errors, keys, secrets, completion)
PEOPLE_AND_PLACES = (users, sessions, orgs, projects, members, roles, invitations, permissions, check, explain)
for command in (*LOCAL, *PEOPLE_AND_PLACES):
    cli.add_command(command)


def main() -> None:
    cli(prog_name="tenantry")


if __name__ == "__main__":
    main()
