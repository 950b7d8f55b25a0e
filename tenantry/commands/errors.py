"""`tenantry errors`: the catalogue of reasons, offline."""

import difflib
import json

import click

from tenantry.failures import WRONG_USE, Failure


@click.command()
@click.argument("reason", required=False)
@click.option("--json", "as_json", is_flag=True, help="One object, or one a line for the list.")
def errors(reason: str | None, as_json: bool) -> None:
    """Say what happened and what to do next, for one REASON of an error or for all."""
    from tenantry.output import print_table

    entries = [_entry(reason.upper().replace("-", "_"))] if reason else _all()
    if as_json:
        for entry in entries:
            click.echo(json.dumps(entry))
    elif reason:
        entry = entries[0]
        click.echo(f"{entry['reason']}   {entry['code']}")
        click.echo(f"  what happened      {entry['what_happened']}")
        click.echo(f"  what to do next    {entry['what_to_do_next']}")
        click.echo(f"  more               {entry['more']}")
    else:
        columns = ("reason", "code", "what_happened")
        print_table(columns, [tuple(entry[column] for column in columns) for entry in entries])


def _entry(name: str) -> dict[str, str]:
    from shared.reasons import Reason

    if name in Reason.__members__:
        return next(entry for entry in _all() if entry["reason"] == name)
    near = difflib.get_close_matches(name, Reason.__members__, n=1, cutoff=0.4)
    hint = f"did you mean:  tenantry errors {near[0]}" if near else "all of them:  tenantry errors"
    raise Failure(f"there is no reason {name}", WRONG_USE, hint)


def _all() -> list[dict[str, str]]:
    from shared.reasons import Reason

    return [
        {
            "reason": name,
            "code": reason.value.code.name,
            "what_happened": reason.value.happened,
            "what_to_do_next": reason.value.next_step,
            "more": f"docs/errors.md#{name}",
        }
        for name, reason in Reason.__members__.items()
    ]
