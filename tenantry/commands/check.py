"""`tenantry check` and `tenantry explain`: may this person do that there, and why."""

from typing import TYPE_CHECKING

import click

from tenantry.commands.options import as_object
from tenantry.failures import NO, WRONG_USE, Failure, command

if TYPE_CHECKING:
    from tenantry.answers import Answer


@click.command()
@click.argument("email")
@click.argument("permission")
@click.argument("place")
@as_object
@click.pass_context
def check(context: click.Context, email: str, permission: str, place: str, as_json: bool) -> None:
    """Say whether a person may do something; exit status 1 if not.

    EMAIL may also be a user's id; PERMISSION is such as project:update; PLACE is such as acme or acme/api, or an id.
    """
    from tenantry import output

    answer = answered("check", email, permission, place)
    if as_json:
        output.print_json(answer.as_json())
    else:
        click.echo("\n".join(answer.lines()))
    context.exit(0 if answer.is_yes else NO)


@click.command()
@click.argument("email")
@click.argument("permission")
@click.argument("place")
@as_object
@click.pass_context
def explain(context: click.Context, email: str, permission: str, place: str, as_json: bool) -> None:
    """Say why a person may do something or not: in one sentence, and step by step; exit status 1 if not.

    EMAIL may also be a user's id; PERMISSION is such as project:update; PLACE is such as acme or acme/api, or an id.
    """
    from tenantry import output

    answer = answered("explain", email, permission, place)
    if as_json:
        output.print_json(answer.explained_as_json())
    else:
        click.echo("\n".join(answer.explained()))
    context.exit(0 if answer.is_yes else NO)


def answered(verb: str, email: str, permission: str, name: str) -> "Answer":
    from protos.tenancy.v1 import access_pb2 as pb
    from tenantry import client, output, places, shown_users
    from tenantry.answers import Answer
    from tenantry.shown_messages import word

    with client.as_operator("identity", "tenancy") as ask:
        user = shown_users.find(ask, email)
        place = places.find_place(ask, name)
        request = pb.ExplainAccessRequest(
            user_id=user.user_id, organization_id=place.organization.organization_id, permission=permission
        )
        if place.project:
            request.project_id = place.project.project_id
        try:
            answer = ask("tenancy.v1.AccessService/ExplainAccess", request, pb.ExplainAccessResponse)
        except client.CallFailed as failed:
            if failed.reason == "PERMISSION_UNKNOWN":
                meant = command(verb, email, failed.told["nearest"], name)
                raise Failure(f"{failed.text}   {failed.reason}", WRONG_USE, f"did you mean:  {meant}") from None
            if "project_id" in failed.fields:
                hint = f"ask about one:  {command(verb, email, permission)} {name}/PROJECT"
                raise Failure(f"{permission} is held on projects, not in an organization", WRONG_USE, hint) from None
            raise
        setters = (step.override.set_by_user_id for step in answer.steps)
        emails = shown_users.emails(ask, setters)
    state = word(user, "state")
    if state != "ACTIVE":
        output.note(f"{user.email} is {state} and cannot sign in: this is about the roles alone.")
    return Answer(user, place, permission, answer, emails)
