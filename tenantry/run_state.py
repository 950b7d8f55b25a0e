"""`run.json`: what runs, where, and how to reach it; there while the pair is ready, and only then."""

import json
import os
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from tenantry.processes import is_alive
from tenantry.project import data_folder, write_private

DEFAULT_ADDRESSES = {"identity": "127.0.0.1:50051", "tenancy": "127.0.0.1:50052"}


class RunningService(TypedDict):
    address: str
    database_url: str


class RunningGateway(TypedDict):
    address: str
    url: str


class RunState(TypedDict):
    identity: RunningService
    tenancy: RunningService
    gateway: NotRequired[RunningGateway]
    service_keys: dict[str, str]
    session_secrets: list[str]
    pids: dict[str, int]
    mail: str  # a folder, or smtp://host
    started: str


def path(folder: Path) -> Path:
    return folder / "run.json"


def write(folder: Path, state: RunState) -> None:
    write_private(path(folder), json.dumps(state, indent=2) + "\n")


def read(folder: Path) -> RunState | None:
    """Also that of a launcher that was killed; see `running`."""
    try:
        return cast(RunState, json.loads(path(folder).read_text()))
    except FileNotFoundError:
        return None


def running(folder: Path) -> RunState | None:
    state = read(folder)
    return state if state and is_alive(state["pids"]["tenantry"]) else None


def nearest_folder() -> Path | None:
    """The chosen data folder, or the nearest `.tenantry` here or above, on which a pair runs."""
    here = Path.cwd()
    chosen = "TENANTRY_DATA_DIR" in os.environ
    folders = [data_folder()] if chosen else [folder / ".tenantry" for folder in (here, *here.parents)]
    return next((folder for folder in folders if running(folder)), None)


def nearest() -> RunState | None:
    folder = nearest_folder()
    return running(folder) if folder else None


def addresses_of(state: RunState) -> dict[str, str]:
    return {"identity": state["identity"]["address"], "tenancy": state["tenancy"]["address"]}


def addresses() -> dict[str, str]:
    """Of the nearest running pair; elsewhere from the environment, as people paste them."""
    state = nearest()
    if state:
        return addresses_of(state)
    return {
        service: plain_address(os.environ.get(f"{service.upper()}_ADDRESS") or default)
        for service, default in DEFAULT_ADDRESSES.items()
    }


def service_key() -> str | None:
    state = nearest()
    return state["service_keys"]["operator"] if state else os.environ.get("TENANTRY_SERVICE_KEY")


def plain_address(text: str) -> str:
    """gRPC addresses have no scheme, but people paste URLs."""
    return text.strip().removeprefix("http://").removeprefix("https://").rstrip("/")
