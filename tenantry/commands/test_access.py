"""`tenantry test`: does a file of people, roles and overrides give the answers that it expects."""

from pathlib import Path

import click

from tenantry.commands.options import as_object
from tenantry.failures import NO, WRONG_USE, Failure


@click.command("test")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), default="access.toml")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write JUnit's XML there.")
@as_object
@click.pass_context
def test(context: click.Context, file: Path, junit: Path | None, as_json: bool) -> None:
    """Answer what FILE expects as the service would, without one; exit status 1 if an answer differs.

    FILE (access.toml if left out) names organizations, their people, projects and roles, and who must be allowed or
    denied what: for a product's own tests. docs/examples/access.toml shows all there is.
    """
    from tenantry import output
    from tenantry.access_file import junit as junit_file
    from tenantry.access_file.judge import judge
    from tenantry.access_file.read import read

    judged = judge(read(file))
    wrong = [each for each in judged if not each.is_as_expected]
    if junit:
        try:
            junit_file.write(junit, file, judged)
        except OSError as error:
            raise Failure(f"{junit} cannot be written: {error.strerror}", WRONG_USE) from None
    if as_json:
        failures = [each.as_json() for each in wrong]
        output.print_json({"file": str(file), "answers": len(judged), "failed": len(wrong), "failures": failures})
    else:
        for each in wrong:
            told = each.as_json()
            about = f"{told['who']}: {told['permission']} on {told['on']}"
            click.echo(
                f"{file}:{told['line']}  {output.plain(about)}  expected {told['expected']}, is {told['answer']}"
            )
            click.echo(f"    {output.plain(str(told['because']))}")
        click.echo(f"{len(judged)} answers, " + (f"{len(wrong)} not as expected" if wrong else "all as expected"))
    context.exit(NO if wrong else 0)
