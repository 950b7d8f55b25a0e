"""People, organizations and projects made with the command itself, each of them new."""

from typing import Any
from uuid import uuid4

from click.testing import Result

from tests.command_line.invoked import invoke, told
from tests.command_line.launched import Launched


def person(up: Launched, name: str = "ada") -> str:
    """The email address of somebody new."""
    made = told(up.folder, "users", "create", f"{name}.{uuid4().hex[:8]}@example.com", "--no-password")
    return str(made["email"])


def organization(up: Launched, owner: str) -> str:
    """The slug of a new one."""
    slug = f"acme-{uuid4().hex[:8]}"
    told(up.folder, "orgs", "create", slug, "--owner", owner)
    return slug


def project(up: Launched, organization: str, slug: str = "api") -> str:
    """Such as acme-1/api."""
    told(up.folder, "projects", "create", f"{organization}/{slug}")
    return f"{organization}/{slug}"


def member(up: Launched, organization: str, role: str = "MEMBER", name: str = "bo") -> str:
    """The email address of somebody new in it."""
    email = person(up, name)
    told(up.folder, "members", "add", organization, email, "--role", role)
    return email


def lines(up: Launched, *arguments: str) -> list[dict[str, str]]:
    """A list as it is in a pipe, by its columns."""
    done = invoke(up.folder, *arguments)
    assert done.exit_code == 0, done.output
    header, *rows = (line.split("\t") for line in done.stdout.splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


def refused(up: Launched, *arguments: str, status: int = 4) -> list[str]:
    """What is said on stderr, with nothing on stdout."""
    done: Result = invoke(up.folder, *arguments)
    assert (done.exit_code, done.stdout) == (status, ""), done.output
    return done.stderr.splitlines()


def would_change(up: Launched, *arguments: str) -> list[dict[str, Any]]:
    """What a --dry-run tells."""
    answer = told(up.folder, *arguments, "--dry-run")
    assert answer["change_count"] == len(answer["changes"])
    changes: list[dict[str, Any]] = answer["changes"]
    return changes
