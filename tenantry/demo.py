"""`tenantry demo`: the story that shows the main job, and whether every answer in it was the expected one."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

import click

from tenantry import client, pair, ports, postgres_place, run_state, story
from tenantry.client import CallFailed
from tenantry.database_urls import SERVICES
from tenantry.embedded_postgres import FAST_AND_UNSAFE
from tenantry.failures import NO, WRONG_USE, Failure
from tenantry.output import print_table
from tenantry.story import Acts, Signed


@dataclass(frozen=True, slots=True)
class Line:
    """One question and its answer, as the table shows it."""

    who: str
    asks_for: str
    on: str
    answer: str
    role: str
    source: str
    because: str = ""


EXPECTED = (
    Line("ada", "project:update", "acme/api", "yes", "ADMIN", "OWNER"),
    Line("bo", "project:read", "acme/api", "yes", "VIEWER", "INHERITED"),
    Line("bo", "project:update", "acme/api", "no", "VIEWER", "INHERITED"),
    Line("bo", "project:read", "acme/web", "no", "NONE", "OVERRIDE"),
    Line("bo", "project:read", "acme/api", "-", "-", "-", "UNAUTHENTICATED"),
    Line("zoe", "project:read", "acme/api", "no", "NONE", "NOT_A_MEMBER"),
)
REVOKED = 4  # before this line bo's session ends


def run(as_json: bool) -> None:
    """Prints the table; exit status 1 if an answer differs."""
    with (
        running_pair() as (addresses, key),
        client.connect(addresses["identity"]) as identity,
        client.connect(addresses["tenancy"]) as tenancy,
    ):
        lines = tell(Acts(identity, tenancy, key, story.new_tag()))
    wrong = [
        f"expected {_facts(expected)}, got {_facts(line)}"
        for expected, line in zip(EXPECTED, lines, strict=True)
        if not _is_expected(expected, line)
    ]
    if as_json:
        for line in lines:
            click.echo(json.dumps(asdict(line)))
    else:
        print_table(tuple(Line.__dataclass_fields__), [astuple(line) for line in lines])
    if wrong:
        raise Failure("not every answer was the expected one:\n  " + "\n  ".join(wrong), NO)
    click.echo(f"{len(lines)} answers, all as expected, each from the database at that moment.", err=as_json)


def tell(acts: Acts) -> list[Line]:
    people = {name: acts.create_and_sign_in(name) for name in ("ada", "bo", "zoe")}
    ada, bo = people["ada"], people["bo"]
    organization = acts.create_organization(ada, "acme")
    projects = {slug: acts.create_project(ada, organization, slug) for slug in ("api", "web")}
    acts.invite(ada, organization, bo)
    acts.lock_out_of_project(ada, projects["web"], bo.user_id)
    least = acts.least_roles(ada)
    lines: list[Line] = []
    revoked = 0.0
    for number, asked in enumerate(EXPECTED):
        if number == REVOKED:
            acts.revoke_session(bo)
            revoked = time.monotonic()
        slug = asked.on.partition("/")[2]
        lines.append(ask(acts, people[asked.who], asked, (organization, projects[slug]), least, revoked))
    return lines


def ask(acts: Acts, person: Signed, asked: Line, place: tuple[str, str], least: dict[str, str], revoked: float) -> Line:
    asking = time.monotonic()
    try:
        answer = acts.check_access(person, asked.asks_for, *place)
    except CallFailed as refused:
        if refused.reason != "SESSION_INVALID":
            raise
        age = (asking - revoked) * 1000
        because = f"{refused.code.name}: session revoked {max(age, 1):.0f} ms before the check"
        return replace(asked, answer="-", role="-", source="-", because=because)
    line = replace(
        asked,
        answer="yes" if answer.allowed else "no",
        role=story.project_role(answer.project_role),
        source=story.source(answer.source),
    )
    return replace(line, because=because_of(line, least[asked.asks_for]))


def because_of(line: Line, needed: str) -> str:
    """The answer in words, with the names that only this story knows."""
    if line.source == "OWNER":
        return "owners may do everything"
    if line.source == "OVERRIDE":
        return "lowered from VIEWER by ada"
    if line.source == "NOT_A_MEMBER":
        return ""
    return f"acme gives members {line.role}" if line.answer == "yes" else f"needs {needed}"


@contextmanager
def running_pair() -> Iterator[tuple[dict[str, str], str]]:
    """Addresses and the operator's key of the pair that runs, or of one made for the demo."""
    state = run_state.nearest()
    if state or "TENANCY_ADDRESS" in os.environ:
        key = run_state.service_key()
        if key is None:
            raise Failure("TENANTRY_SERVICE_KEY is not set", WRONG_USE, "it is in .tenantry/env of the running pair")
        yield run_state.addresses(), key
        return
    click.echo("No pair is running here: starting one for the demo.", err=True)
    folder = Path(tempfile.mkdtemp(prefix="tenantry-demo-"))
    folder.chmod(0o711)
    try:
        own = {service: ports.free_port() for service in SERVICES}
        started = pair.start(folder, own, note=lambda _: None, extra_settings=FAST_AND_UNSAFE)
        try:
            yield started.addresses, started.secrets.service_keys["operator"]
        finally:
            started.stop()
    finally:
        for path in (folder, postgres_place.twin(folder / "postgres")):
            shutil.rmtree(path, ignore_errors=True)


def _facts(line: Line) -> str:
    return " ".join(astuple(line)[:-1])


def _is_expected(expected: Line, line: Line) -> bool:
    return _facts(expected) == _facts(line) and line.because.startswith(expected.because)
