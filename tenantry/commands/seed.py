"""`tenantry seed`: people and places to try things with."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from tenantry.commands.options import as_object
from tenantry.failures import WRONG_USE, Failure


@click.command()
@click.option("--users", type=click.IntRange(1, 10_000_000), help="So many instead, for a load test of your own.")
@click.option("--organizations", type=click.IntRange(0, 1_000_000), help="With --users: so many.")
@click.option(
    "--projects-per-organization", type=click.IntRange(0, 1000), help="With --organizations; 10 if not given."
)
@as_object
def seed(users: int | None, organizations: int | None, projects_per_organization: int | None, as_json: bool) -> None:
    """Create the people and places of the documentation: ada, bo and zoe, acme with api and web.

    What is there already stays as it is. With --users many new ones are copied straight into the databases of the
    pair that runs here, again with each call; neither the audit nor the events tell of them, and quotas do not
    count. Everybody has one password. To get rid of them, stop the pair and empty it:  make reset
    """
    if users is not None:
        projects = 10 if projects_per_organization is None else projects_per_organization
        make_crowd(users, organizations or 0, projects, as_json)
    elif organizations is not None or projects_per_organization is not None:
        raise Failure("how many people?", WRONG_USE, "such as:  tenantry seed --users 100000 --organizations 5000")
    else:
        make_documentation(as_json)


def make_documentation(as_json: bool) -> None:
    from tenantry import client, output
    from tenantry.seed.documentation import Documentation

    with client.as_operator("identity", "tenancy") as ask:
        documentation = Documentation(ask)
        made = list(documentation.make())
    has_new_people = any(each.what == "user" and each.state == "created" for each in made)
    password = documentation.password if has_new_people else None
    if as_json:
        output.print_json({"made": [each._asdict() for each in made], "password": password})
        return
    output.print_table(("name", "what", "state"), made)
    if password:
        click.echo(f"password of those created now: {password}")


def make_crowd(users: int, organizations: int, projects: int, as_json: bool) -> None:
    import time

    from tenantry import output, passwords
    from tenantry.seed.copy_rows import copy_crowd, databases_here
    from tenantry.seed.crowd import Crowd
    from tenantry.story import new_tag

    urls = databases_here()
    began = time.monotonic()
    crowd, password = Crowd(new_tag(), users, organizations, projects), passwords.make_readable()
    # People and their names, memberships, places; what is a little more or less is known at the end.
    expected = 2 * users + max(users, organizations) + organizations * (1 + projects)
    with bar(expected) as told:
        rows = copy_crowd(urls, crowd, password, told)
    seconds = round(time.monotonic() - began, 1)
    first = crowd.email(0)
    if as_json:
        output.print_json({"rows": rows, "seconds": seconds, "tag": crowd.tag, "first": first, "password": password})
        return
    output.print_table(("table", "rows"), [(table, str(count)) for table, count in rows.items()])
    owned = f", OWNER of {crowd.slug(0)}" if organizations else ""
    click.echo(f"made in {seconds} s; the first is {first}{owned}")
    click.echo(f"password of everybody: {password}")
    output.note("To get rid of them, and of all other local data: stop the pair, then  make reset")


@contextmanager
def bar(expected: int) -> "Iterator[Callable[[str, int], None]]":
    """On a terminal, how many rows are copied."""
    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=expected)
        yield lambda table, more: shown.update(task, advance=more, description=table.replace("_", " "))
