"""`tenantry reset`: empty the data folder."""

import shutil
from pathlib import Path

import click

from tenantry.failures import REFUSED, Failure


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Delete all local data: databases, logs, mails, secrets. Refused while a pair is running on it."""
    from filelock import FileLock, Timeout

    from tenantry import postgres_place, run_state
    from tenantry.project import data_folder, shown

    folder = data_folder()
    elsewhere = postgres_place.twin(folder / "postgres")
    if not folder.exists() and not elsewhere.exists():
        click.echo(f"{shown(folder)}/ is empty already")
        return
    _refuse_foreign(folder)
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        state = run_state.running(folder)
        pid = f" (pid {state['pids']['tenantry']})" if state else ""
        raise Failure(f"tenantry is running on {shown(folder)}/{pid}", REFUSED, "stop it first with Ctrl-C") from None
    with lock:
        if not yes:
            click.confirm(f"Delete everything in {shown(folder)}/?", abort=True)
        shutil.rmtree(elsewhere, ignore_errors=True)
        for path in folder.iterdir():
            if path.name == "lock":
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        click.echo(f"{shown(folder)}/ is empty")


def _refuse_foreign(folder: Path) -> None:
    """A mistyped TENANTRY_DATA_DIR must not cost anybody their files."""
    known = {"postgres", "log", "mail", "lock", "migrated", "secrets.json", "run.json", "env"}
    strange = sorted(path.name for path in folder.iterdir() if path.name not in known) if folder.exists() else []
    if strange:
        raise Failure(f"{folder} holds what Tenantry did not put there: {', '.join(strange[:5])}", REFUSED)
