"""What `tenantry up` says when the pair is ready: where everything is, and what to type next."""

import json
import shlex
import sys
from pathlib import Path

from tenantry import passwords
from tenantry.project import data_folder, default_data_folder, shown, write_private
from tenantry.run_state import RunState, addresses_of


def ready_lines(state: RunState) -> list[str]:
    folder = data_folder()
    return [
        f"identity   {state['identity']['address']}   ready",
        f"tenancy    {state['tenancy']['address']}   ready",
        *([f"gateway    {state['gateway']['url']}   ready"] if "gateway" in state else []),
        f"data       {shown(folder)}/   survives restarts; empty it with: {in_this_folder('make reset')}",
        f"mail       {mail_line(state['mail'])}",
    ]


def mail_line(mail: str) -> str:
    return mail if "://" in mail else f"{shown(Path(mail))}/   (no SMTP configured)"


def next_lines(state: RunState) -> list[str]:
    folder = data_folder()
    sign_up = json.dumps({"email": "bo@example.com", "password": passwords.make_readable(), "display_name": "Bo"})
    by_curl = f"curl -s -d '{sign_up}' {state['gateway']['url']}/v1/users:signUp" if "gateway" in state else ""
    steps = [
        (in_this_folder("make demo"), "the whole story in one screen"),
        (f"source {shlex.quote(shown(folder / 'env'))}", "puts the `tenantry` command and its addresses in this shell"),
        ("tenantry users create ada@example.com", ""),
        (f"grpcurl -plaintext -d '{sign_up}' {state['identity']['address']} identity.v1.UserService/SignUp", ""),
        *([(by_curl, "")] if by_curl else []),
    ]
    return [*(f"  {command:<32}   {what}".rstrip() for command, what in steps), "Ctrl-C drains and stops."]


def in_this_folder(command: str) -> str:
    """Make targets find a data folder of its own kind only if they are told."""
    folder = data_folder()
    return command if folder == default_data_folder() else f"TENANTRY_DATA_DIR={shlex.quote(str(folder))} {command}"


def shell_lines(addresses: dict[str, str], key: str | None) -> list[str]:
    """Exports for a shell; the virtual environment's programs come first on the PATH."""
    values = {"IDENTITY_ADDRESS": addresses["identity"], "TENANCY_ADDRESS": addresses["tenancy"]}
    if key:
        values["TENANTRY_SERVICE_KEY"] = key
    if data_folder() != default_data_folder():
        values["TENANTRY_DATA_DIR"] = str(data_folder())
    programs = shlex.quote(str(Path(sys.prefix) / "bin"))
    return [
        *(f"export {name}={shlex.quote(value)}" for name, value in values.items()),
        f'export PATH={programs}:"$PATH"',
    ]


def write_shell_file(folder: Path, state: RunState) -> None:
    lines = shell_lines(addresses_of(state), state["service_keys"]["operator"])
    write_private(folder / "env", "\n".join(lines) + "\n")
