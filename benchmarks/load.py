"""Run a plan of benchmarks/generator.py in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

Seen = TypeVar("Seen")


class LoadFailed(RuntimeError):  # noqa: N818  says what happened
    """An answer was wrong, or a call failed; the text says which."""


def run(plan: dict[str, Any], look: Callable[[], Seen]) -> tuple[dict[str, Any], Seen, Seen]:
    """The result, and what `look` returned when measuring began and when it had ended."""
    command = [sys.executable, "-m", "benchmarks.generator"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps(plan) + "\n")
        process.stdin.flush()
        is_warm = process.stdout.readline()
        before = look()
        if is_warm:
            process.stdin.write("go\n")
            process.stdin.flush()
        line = process.stdout.readline()
        after = look()
        complaint = process.stderr.read()
    if process.returncode != 0:
        raise LoadFailed(complaint.strip())
    return json.loads(line), before, after
