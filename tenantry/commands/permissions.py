"""`tenantry permissions`: what can be asked for."""

from typing import TYPE_CHECKING

import click

from tenantry.commands.options import as_lines

if TYPE_CHECKING:
    from protos.tenancy.v1.access_pb2 import Permission

COLUMNS = ("permission", "held_in", "least_role", "defined")


@click.group()
def permissions() -> None:
    """What can be asked for."""


@permissions.command("list")
@as_lines
def list_(as_json: bool) -> None:
    """List every permission and the least role it needs."""
    from protos.tenancy.v1 import access_pb2 as pb
    from tenantry import client, output

    request = pb.ListPermissionsRequest()
    with client.as_operator("tenancy") as ask:
        found = ask("tenancy.v1.AccessService/ListPermissions", request, pb.ListPermissionsResponse).permissions
    output.print_list(iter(found), COLUMNS, row, as_json, 0, "tenantry permissions list")


def row(permission: "Permission") -> tuple[str, ...]:
    """In the order of COLUMNS."""
    from tenantry.shown_messages import word

    kind = permission.WhichOneof("least_role") or "project_role"
    place = "organization" if kind == "organization_role" else "project"
    return permission.permission, place, word(permission, kind), "built in" if permission.built_in else "here"
