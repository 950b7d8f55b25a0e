"""How a command fails: what happened on stderr, and one of the exit statuses every command keeps to."""

import shlex
import sys

import click

NO = 1  # a "no", or something was not as expected
WRONG_USE = 2
NOT_REACHED = 3
REFUSED = 4


class Failure(click.ClickException):
    """`hint` is the line after the error, as a rule a command to type."""

    def __init__(self, message: str, exit_code: int = NO, hint: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance
        self.hint = hint

    def show(self, _: object = None) -> None:
        print(f"error: {self.message}", file=sys.stderr)
        if self.hint:
            print(self.hint, file=sys.stderr)


def command(*words: str) -> str:
    """One of ours as it can be pasted into a shell."""
    return f"tenantry {shlex.join(words)}"


def given(option: str, value: str | bool | None) -> tuple[str, ...]:
    """An option of such a command, if it was used."""
    if isinstance(value, bool):
        return (option,) if value else ()
    return (option, value) if value else ()
