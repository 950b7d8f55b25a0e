"""`tenantry sessions`: who is signed in, ending it, and why a token is not taken."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tenantry.failures import NO, WRONG_USE, Failure

if TYPE_CHECKING:
    from protos.identity.v1.sessions_pb2 import Session
    from tenantry.client import Ask

COLUMNS = ("session_id", "created", "last_seen", "expires", "ip", "signed_in_by", "device")
SESSIONS = "identity.v1.SessionService"
STDIN = "-"
MOST_READ = 10_000


@click.group()
def sessions() -> None:
    """Who is signed in. EMAIL may also be a user's id."""


@sessions.command("list")
@click.argument("email")
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def list_(email: str, as_json: bool) -> None:
    """List a person's sessions, newest first."""
    from tenantry import client, output, shown_messages, shown_users
    from tenantry.shown_messages import time

    with client.as_operator("identity") as ask:
        found = valid_sessions(ask, shown_users.find(ask, email).user_id)
        if as_json:
            for session in found:
                output.print_json(shown_messages.as_json(session))
            return
        rows = (
            (
                session.session_id,
                *map(time, (session.create_time, session.last_seen_time, session.expire_time)),
                session.ip,
                "+".join(session.amr) or "Express",
                session.device_name or session.user_agent,
            )
            for session in found
        )
        output.print_table(COLUMNS, rows)


@sessions.command()
@click.argument("email")
@click.argument("session_id", required=False)
@click.option("--all", "every", is_flag=True, help="All sessions of the person.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def revoke(email: str, session_id: str | None, every: bool, as_json: bool) -> None:
    """End one of a person's sessions, or --all; at once, and for good."""
    from protos.identity.v1 import sessions_pb2 as pb
    from tenantry import client, output, shown_users

    if every == (session_id is not None):
        raise Failure("name one session, or say --all", WRONG_USE, f"which there are:  tenantry sessions list {email}")
    with client.as_operator("identity") as ask:
        user = shown_users.find(ask, email)
        if session_id is None:
            of_all = pb.RevokeUserSessionsRequest(user_id=user.user_id)
            count = ask(f"{SESSIONS}/RevokeUserSessions", of_all, pb.RevokeUserSessionsResponse).revoked_count
        else:
            count = sum(session.session_id == session_id.lower() for session in valid_sessions(ask, user.user_id))
            of_one = pb.RevokeSessionRequest(user_id=user.user_id, session_id=session_id)
            ask(f"{SESSIONS}/RevokeSession", of_one, pb.RevokeSessionResponse)
    if as_json:
        output.print_json({"user_id": user.user_id, "email": user.email, "revoked_count": count})
    else:
        click.echo(f"{user.email}   {count} ended")
    if not count:
        whose = "that session was" if session_id else "none was"
        output.note(f"Nothing to end: {whose} among the valid ones.")


def valid_sessions(ask: "Ask", user_id: str) -> "Iterator[Session]":
    """Of a user, from page to page."""
    from protos.identity.v1 import sessions_pb2 as pb
    from tenantry import client

    request = pb.ListSessionsRequest(user_id=user_id, page_size=1000)
    for page in client.pages(ask, f"{SESSIONS}/ListSessions", request, pb.ListSessionsResponse):
        yield from page.sessions


@sessions.command()
@click.argument("token")
@click.option("--json", "as_json", is_flag=True, help="One object.")
@click.pass_context
def inspect(context: click.Context, token: str, as_json: bool) -> None:
    """Say what a session token is, and why it is not taken; exit status 1 if it is not.

    TOKEN - is read from stdin, which keeps it out of the shell's history. Looks into identity's own database:
    that of the nearest running pair, else DATABASE_URL, with SESSION_SECRETS.
    """
    from tenantry import inspect_token, output

    if token == STDIN:
        token = click.prompt("Token", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read(MOST_READ)
    found = inspect_token.inspect(token.strip(), inspect_token.place())
    if as_json:
        output.print_json(found.as_json())
    else:
        click.echo("\n".join(found.lines()))
    context.exit(0 if found.is_valid else NO)
