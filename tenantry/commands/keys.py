"""`tenantry keys`: what internal services call with."""

import json
import re

import click

from tenantry.failures import WRONG_USE, Failure


@click.group()
def keys() -> None:
    """Keys with which internal services call."""


@keys.command("make-service-key")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def make_service_key(name: str, as_json: bool) -> None:
    """Make a key for the service NAME. The key is shown once; only its hash goes into SERVICE_KEYS."""
    from tenantry.local_secrets import make_secret, service_key_entry

    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name):
        raise Failure("a name is 1 to 40 of a-z, 0-9, - and _, a letter first", WRONG_USE)
    key = f"{name}.{make_secret()}"
    entry = service_key_entry(key)
    if as_json:
        click.echo(json.dumps({"name": name, "key": key, "service_keys_entry": entry}))
        return
    click.echo(f"key            {key}")
    click.echo(f"SERVICE_KEYS   {entry}")
    notes = f"{name} sends the key as metadata x-service-key; the services it calls get the entry in SERVICE_KEYS"
    click.echo(f"{notes} (several: separated by commas).", err=True)
