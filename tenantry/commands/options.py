"""What many commands have in common: options, kinds of values, and asking before something is deleted."""

import sys
from datetime import datetime
from typing import Any, Literal

import click

from tenantry.failures import WRONG_USE, Failure

as_object = click.option("--json", "as_json", is_flag=True, help="One object.")
as_lines = click.option("--json", "as_json", is_flag=True, help="One object a line.")
limit_option = click.option(
    "--limit", type=click.IntRange(0), help="At most so many; 0 means all. Default: 50 on a terminal, else all."
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Change nothing; say who would gain or lose what.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")

NEVER: Literal["never"] = "never"


class Role(click.Choice[str]):
    """Taken in lower case, too, and named in upper case."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert(value.upper(), param, ctx)


ORG_ROLE = Role(["GUEST", "MEMBER", "ADMIN", "OWNER"])
PROJECT_ROLE = Role(["NONE", "VIEWER", "EDITOR", "ADMIN"])


class Time(click.ParamType[Any]):
    """RFC 3339 with a zone; with `never` that word, too."""

    name = "time"

    def __init__(self, *, never: bool = False) -> None:
        self._never = never

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, datetime) or (self._never and value == NEVER):
            return value
        try:
            time = datetime.fromisoformat(value)
        except ValueError:
            time = None
        if time is None or time.tzinfo is None:
            self.fail("a time with its zone is needed, such as 2027-01-31T18:00:00Z", param, ctx)
        return time


until_option = click.option("--until", type=Time(), help="Only until then, such as 2027-01-31T18:00:00Z.")


def make_sure(question: str, yes: bool, without_asking: str) -> None:
    """`without_asking` is the command that does it where nobody is there to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure("nobody is there to ask", WRONG_USE, f"without asking:  {without_asking} --yes")
    click.confirm(question, abort=True, err=True)
