"""`tenantry users`: people's accounts."""

import json
import sys

import click


@click.group()
def users() -> None:
    """People's accounts."""


@users.command()
@click.argument("email")
@click.option("--name", default="", help="As others see it.")
@click.option("-q", "--quiet", is_flag=True, help="Ask nothing, print nothing; the password made is not shown.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def create(email: str, name: str, quiet: bool, as_json: bool) -> None:
    """Create an account for EMAIL. Without a terminal to ask on, a password is made."""
    from protos.identity.v1 import users_pb2 as pb
    from tenantry import client, passwords, run_state

    typed = "" if quiet or not sys.stdin.isatty() else ask_for_password()
    password = typed or passwords.make_readable()
    request = pb.CreateUserRequest(email=email, password=password, display_name=name)
    with client.connect(run_state.addresses()["identity"]) as channel:
        user = client.call(
            channel, "identity.v1.UserService/CreateUser", request, pb.CreateUserResponse, client.operator()
        ).user
    made = {} if typed else {"password": password}
    if as_json:
        click.echo(
            json.dumps({"user_id": user.user_id, "email": user.email, "display_name": user.display_name, **made})
        )
    elif not quiet:
        click.echo("   ".join([user.email, user.user_id, *(f"password: {word}" for word in made.values())]))


def ask_for_password() -> str:
    question = "Password (15 characters or more; empty = make one for me)"
    typed: str = click.prompt(question, default="", hide_input=True, show_default=False, err=True)
    return typed
