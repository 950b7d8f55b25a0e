"""`tenantry users`: people's accounts."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tenantry.commands.options import as_lines, as_object, limit_option
from tenantry.commands.user_import import import_file
from tenantry.failures import REFUSED, WRONG_USE, Failure

if TYPE_CHECKING:
    from protos.identity.v1.users_pb2 import ListUsersRequest, User
    from tenantry.client import Ask


@click.group()
def users() -> None:
    """People's accounts. EMAIL may also be a user's id."""


users.add_command(import_file)


@users.command()
@click.argument("email")
@click.option("--name", default="", help="As others see it.")
@click.option("--external-id", default="", help="The id that another system knows the person by.")
@click.option("--verified/--not-verified", default=False, help="You know that the address is theirs.")
@click.option("--no-password", is_flag=True, help="They set one themselves, by a password reset.")
@click.option("-q", "--quiet", is_flag=True, help="Ask nothing, print nothing; the password made is not shown.")
@as_object
def create(
    email: str, name: str, external_id: str, verified: bool, no_password: bool, quiet: bool, as_json: bool
) -> None:
    """Create an account for EMAIL. Without a terminal to ask on, a password is made."""
    from protos.identity.v1 import users_pb2 as pb
    from tenantry import client, output, passwords, shown_messages, shown_users

    asks = not (quiet or no_password) and sys.stdin.isatty()
    typed = ask_for_password() if asks else ""
    made = {} if typed or no_password else {"password": passwords.make_readable()}
    request = pb.CreateUserRequest(
        email=email,
        password=typed or made.get("password", ""),
        display_name=name,
        external_id=external_id,
        email_verified=verified,
    )
    with client.as_operator("identity") as ask:
        user = ask(f"{shown_users.USERS}/CreateUser", request, pb.CreateUserResponse).user
    if as_json:
        output.print_json({**shown_messages.as_json(user), **made})
    elif not quiet:
        click.echo("   ".join([user.email, user.user_id, *(f"password: {word}" for word in made.values())]))


def ask_for_password() -> str:
    question = "Password (15 characters or more; empty = make one for me)"
    typed: str = click.prompt(question, default="", hide_input=True, show_default=False, err=True)
    return typed


@users.command("list")
@click.option("--filter", "condition", default="", help='Such as: email = "ada*" AND state = SUSPENDED')
@click.option("--deleted", is_flag=True, help="Deleted ones too.")
@limit_option
@as_lines
def list_(condition: str, deleted: bool, limit: int | None, as_json: bool) -> None:
    """List accounts, oldest first.

    --filter takes email (with a * at its end: a prefix), state (ACTIVE, SUSPENDED, DELETED) and create_time,
    with = < <= > >= and AND.
    """
    from protos.identity.v1 import users_pb2 as pb
    from tenantry import client, output, shown_users

    most = output.at_most(limit, as_json)
    request = pb.ListUsersRequest(filter=condition, show_deleted=deleted, page_size=output.page_size(most))
    with client.as_operator("identity") as ask:
        found = each_user(ask, request)
        output.print_list(found, shown_users.COLUMNS, shown_users.row, as_json, most, "tenantry users list")


def each_user(ask: "Ask", request: "ListUsersRequest") -> "Iterator[User]":
    """From page to page."""
    from protos.identity.v1 import users_pb2 as pb
    from tenantry import client
    from tenantry.shown_users import USERS

    for page in client.pages(ask, f"{USERS}/ListUsers", request, pb.ListUsersResponse):
        yield from page.users


@users.command()
@click.argument("email")
@as_object
def get(email: str, as_json: bool) -> None:
    """Show one account."""
    from tenantry import client, output, shown_messages, shown_users

    with client.as_operator("identity") as ask:
        user = shown_users.find(ask, email)
    if as_json:
        output.print_json(shown_messages.as_json(user))
    else:
        output.print_facts(shown_users.facts(user))


@users.command()
@click.argument("email")
@as_object
def suspend(email: str, as_json: bool) -> None:
    """End all sessions of the account and refuse new ones, until it is reactivated."""
    from protos.identity.v1 import users_pb2 as pb
    from tenantry import client, shown_users

    with client.as_operator("identity") as ask:
        user_id = shown_users.find(ask, email).user_id
        request = pb.SuspendUserRequest(user_id=user_id)
        show_changed(ask(f"{shown_users.USERS}/SuspendUser", request, pb.SuspendUserResponse).user, as_json)


@users.command()
@click.argument("email")
@as_object
def reactivate(email: str, as_json: bool) -> None:
    """Let a suspended person sign in again."""
    from protos.identity.v1 import users_pb2 as pb
    from tenantry import client, shown_users

    with client.as_operator("identity") as ask:
        user_id = shown_users.find(ask, email).user_id
        request = pb.ReactivateUserRequest(user_id=user_id)
        show_changed(ask(f"{shown_users.USERS}/ReactivateUser", request, pb.ReactivateUserResponse).user, as_json)


@users.command()
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_object
def delete(email: str, yes: bool, as_json: bool) -> None:
    """Delete an account. All its sessions end; it can be undeleted until it goes for good."""
    from protos.identity.v1 import users_pb2 as pb
    from tenantry import client, output, shown_messages, shown_users

    if not yes and not sys.stdin.isatty():
        raise Failure("nobody is there to ask", WRONG_USE, f"without asking:  tenantry users delete {email} --yes")
    with client.as_operator("identity") as ask:
        user = shown_users.find(ask, email)
        if not yes:
            click.confirm(f"Delete {user.email} ({user.display_name or user.user_id})?", abort=True, err=True)
        request = pb.DeleteUserRequest(user_id=user.user_id)
        user = ask(f"{shown_users.USERS}/DeleteUser", request, pb.DeleteUserResponse).user
    show_changed(user, as_json)
    until = f"Until {shown_messages.time(user.purge_time)} you can undo it:"
    output.note(f"{until}  tenantry users undelete {user.user_id}")


@users.command()
@click.argument("email")
@as_object
def undelete(email: str, as_json: bool) -> None:
    """Bring back a deleted account that has not gone for good. Its sessions stay ended."""
    from protos.identity.v1 import users_pb2 as pb
    from tenantry import client, shown_messages, shown_users

    with client.as_operator("identity") as ask:
        user_id = email if shown_messages.is_uuid(email) else deleted_id(ask, email)
        request = pb.UndeleteUserRequest(user_id=user_id)
        show_changed(ask(f"{shown_users.USERS}/UndeleteUser", request, pb.UndeleteUserResponse).user, as_json)


def deleted_id(ask: "Ask", email: str) -> str:
    """Of the one deleted account with this address: an address can be deleted more than once."""
    from protos.identity.v1 import users_pb2 as pb

    quoted = email.replace("\\", "\\\\").replace('"', '\\"')
    request = pb.ListUsersRequest(filter=f'email = "{quoted}" AND state = DELETED', show_deleted=True)
    ids = [user.user_id for user in each_user(ask, request)]
    if not ids:
        hint = "all that can come back:  tenantry users list --deleted --filter 'state = DELETED'"
        raise Failure(f"no deleted user has the email {email}   USER_NOT_FOUND", REFUSED, hint)
    if len(ids) > 1:
        choices = "\n".join(f"one of them:  tenantry users undelete {user_id}" for user_id in ids)
        raise Failure(f"{len(ids)} deleted users have the email {email}", WRONG_USE, choices)
    return ids[0]


def show_changed(user: "User", as_json: bool) -> None:
    from tenantry import output, shown_messages

    if as_json:
        output.print_json(shown_messages.as_json(user))
    else:
        click.echo("   ".join([user.email, user.user_id, shown_messages.word(user, "state")]))
