"""Run a command in this process, without the half second that a new one takes, against a running pair."""

import json
import os
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tenantry.__main__ import cli
from tests.command_line.launched import FROM_OUTSIDE, environment


def invoke(folder: Path, *arguments: str, typed: str | None = None, **more: str) -> Result:
    """`typed` comes from stdin, which is no terminal."""
    outside: dict[str, str | None] = {name: None for name in os.environ if name.startswith(FROM_OUTSIDE)}
    runner = CliRunner(env={**outside, **environment(folder, **more)})
    return runner.invoke(cli, arguments, input=typed, prog_name="tenantry", catch_exceptions=False)


def told(folder: Path, *arguments: str, **more: str) -> Any:
    """The one object of a command with --json that went well."""
    done = invoke(folder, *arguments, "--json", **more)
    assert done.exit_code == 0, done.output
    [line] = done.stdout.splitlines()
    return json.loads(line)
