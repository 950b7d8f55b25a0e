"""`tenantry completion`: what makes a shell complete the commands."""

import click

WHERE = {
    "bash": 'eval "$(tenantry completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(tenantry completion zsh)"   in ~/.zshrc',
    "fish": "tenantry completion fish > ~/.config/fish/completions/tenantry.fish",
}
LINES = "\n".join(f"  {line}" for line in WHERE.values())


@click.command(help=f"Print a script that completes commands and options with Tab.\n\n\b\n{LINES}")
@click.argument("shell", type=click.Choice(list(WHERE)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(context.find_root().command, {}, "tenantry", "_TENANTRY_COMPLETE").source())
