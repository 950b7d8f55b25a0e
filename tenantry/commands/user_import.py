"""`tenantry users import`: accounts of another system, with their password hashes."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantry.failures import NO, Failure

if TYPE_CHECKING:
    from tenantry.user_import.plan import Plan
    from tenantry.user_import.records import Record

SYSTEMS = ("auth0", "clerk", "better-auth", "kratos", "django", "devise")
SHOWN_REASONS = 20  # on a terminal


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--from", "system", type=click.Choice(SYSTEMS), help="Whose export it is; docs/importing.md says how to get it."
)
@click.option("--map", "maps", multiple=True, metavar="FIELD=COLUMN", help="Instead of the guess; FIELD= takes none.")
@click.option("--batch", type=click.IntRange(1, 1000), default=1000, show_default=True, help="Accounts in one call.")
@click.option("--dry-run", is_flag=True, help="Check every record here, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def import_file(
    file: Path, system: str | None, maps: tuple[str, ...], batch: int, dry_run: bool, as_json: bool
) -> None:
    """Create accounts from FILE: .csv, .jsonl, .ndjson or .json.

    \b
    FIELD is one of email, name, external_id, verified, password_hash,
    public_metadata, private_metadata; COLUMN is a column, a key, a path of keys
    such as traits.email, or several joined by +.

    What was interrupted goes on with the same command. Rejected records go to a file beside FILE, to be fixed
    and imported too; the exit status is then 1.
    """
    from tenantry import output
    from tenantry.user_import import plan as plans

    plan = plans.make(file, system or "", maps)
    output.note(f"{file.name}: {plan.form.kind}" + (f", export of {system}" if system else ""))
    for field, source in plan.shown().items():
        output.note(f"  {field:<18}{source}")
    if plan.not_taken:
        output.note(f"  {'not taken':<18}{', '.join(plan.not_taken)}")
    rejected = (look if dry_run else send)(plan, batch, as_json)
    click.get_current_context().exit(NO if rejected else 0)


def look(plan: "Plan", _: int, as_json: bool) -> int:
    """How many do not fit."""
    from tenantry import output
    from tenantry.user_import import run

    shown = 0

    def show(record: "Record", reason: str) -> None:
        nonlocal shown
        shown += 1
        if shown <= SHOWN_REASONS or not sys.stderr.isatty():
            output.note(f"line {record.line}: {reason}")

    with bar(plan.path) as told:
        fit, unfit = run.look_at_all(plan, told, show)
    if shown > SHOWN_REASONS and sys.stderr.isatty():
        output.note(f"... and {shown - SHOWN_REASONS} more; all of them:  the same command with 2> reasons.txt")
    if as_json:
        output.print_json({"fit": fit.total(), "unfit": unfit, "password_hashes": dict(fit)})
    else:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(fit.items()))
        click.echo(f"fit {fit.total()}   unfit {unfit}   password hashes: {kinds or 'none'}")
    output.note("Nothing was changed. Which addresses and external ids are taken, only the server knows.")
    return unfit


def send(plan: "Plan", batch: int, as_json: bool) -> int:
    """How many were rejected."""
    from tenantry import client, output
    from tenantry.user_import import progress, run

    try:
        with client.as_operator("identity") as ask, bar(plan.path) as told:
            done = run.import_all(plan, ask, batch, told)
    except client.CallFailed as failed:
        hint = f"{failed.hint}\nWhat is imported is on record; the same command goes on."
        raise Failure(failed.message, failed.exit_code, hint) from None
    except KeyboardInterrupt:
        output.note("Interrupted. What is imported is on record; the same command goes on.")
        raise
    rejected = progress.rejected_place(plan.path, plan.form.suffix)
    if as_json:
        where = str(rejected) if done.rejected else None
        output.print_json({"created": done.created, "rejected": done.rejected, "rejected_file": where})
    else:
        click.echo(f"created {done.created}   rejected {done.rejected}")
    if done.rejected:
        system = f" --from {plan.recipe}" if plan.recipe else ""
        output.note(f"The rejected ones, with line and reason: {rejected}")
        output.note(f"Fix them there, then:  tenantry users import {shlex.quote(str(rejected))}{system}")
    return done.rejected


@contextmanager
def bar(path: Path) -> "Iterator[Callable[[int], None]]":
    """On a terminal, how much of the file is read."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(path.name, total=path.stat().st_size)
        yield lambda read: shown.update(task, completed=read)
