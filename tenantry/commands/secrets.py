"""`tenantry secrets`: make what signs sessions, and change it with nobody logged out."""

import os
from pathlib import Path

import click

from tenantry.failures import WRONG_USE, Failure

RESTART = "Restart every identity process, and set the same list in Express apps that share the sessions."
TWO_STEPS = """Where several processes or Express apps verify sessions, do it in two steps, or one that has not
restarted yet refuses what another has signed: first the new secret last, everywhere; then this."""
WHEN = """The older ones may go when every session they signed is over, SESSION_ABSOLUTE_SECONDS (12 hours unless
set) after the restart:  tenantry secrets rotate --retire"""
ENDS = "Sessions signed by the others end with the restart."


@click.group()
def secrets() -> None:
    """Secrets that sign sessions."""


@secrets.command("make")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def make(as_json: bool) -> None:
    """Print a new SESSION_SECRET. To change it with nobody logged out:  tenantry secrets rotate"""
    from tenantry import output
    from tenantry.local_secrets import make_secret

    secret = make_secret()
    if as_json:
        output.print_json({"secret": secret})
    else:
        click.echo(secret)


@secrets.command("rotate")
@click.option("--retire", is_flag=True, help="Make no new one: drop all but the first.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def rotate(retire: bool, as_json: bool) -> None:
    """Put a new session secret before the others: it signs, and all of them verify, so nobody is logged out.

    With SESSION_SECRETS in the environment, prints the value to set; else changes the local stack's
    .tenantry/secrets.json. At most 5 are kept.
    """
    from identity_service.settings import MAX_SECRETS
    from tenantry import local_secrets, output
    from tenantry.project import shown

    given = os.environ.get("SESSION_SECRETS") or os.environ.get("SESSION_SECRET")
    path = None if given else local_file()
    held = given if path is None else local_secrets.load_or_make(path).session_secret
    before = local_secrets.split(held or "")
    after = before[:1] if retire else [local_secrets.make_secret(), *before[: MAX_SECRETS - 1]]
    dropped = len(set(before) - set(after))
    if path:
        local_secrets.write_session_secrets(path, after)
    if as_json:
        told = {"file": str(path), "secrets": len(after)} if path else {"session_secrets": after}
        output.print_json({**told, "dropped": dropped})
    elif path:
        click.echo(f"{shown(path)}   session secrets: {len(after)}, dropped: {dropped}")
    else:
        click.echo(f"SESSION_SECRETS={','.join(after)}")
    for text in notes(path is not None, retire, dropped):
        output.note(text)


def notes(is_local: bool, retire: bool, dropped: int) -> list[str]:
    """What to do now, and what it does to people."""
    restart = "Restart `make run`, then it is in force." if is_local else RESTART
    consequence = [ENDS] if dropped else []
    if retire:
        return [restart, *consequence]
    return [restart, *consequence, *([] if is_local else [TWO_STEPS]), WHEN]


def local_file() -> Path:
    from tenantry import run_state
    from tenantry.project import data_folder

    path = (run_state.nearest_folder() or data_folder()) / "secrets.json"
    if not path.exists():
        raise Failure("no SESSION_SECRETS is set, and there is no local stack here", WRONG_USE, "make one:  make run")
    return path
