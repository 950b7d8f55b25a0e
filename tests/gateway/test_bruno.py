"""The Bruno collection: made from the API's description, and run with Bruno's own command line."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tenantry.gateway.bruno import BY_HAND, FOLDER, collection
from tenantry.gateway.openapi import DOCUMENT
from tenantry.testing.people import People
from tests import npm
from tests.gateway.gateways import Gateway

NODE = Path(__file__).parents[1] / "bruno"
LEAST_NODE = 20
PASSWORD = "correct horse battery staple"
REQUESTS = [path for path in FOLDER.rglob("*.bru") if "type: http" in path.read_text()]


@pytest.fixture
def node_that_runs_bru() -> None:
    """Debian 12 has Node 18, with which bru does not begin."""
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    if told and int(told.removeprefix("v").partition(".")[0]) < LEAST_NODE:
        pytest.skip(f"bru needs Node {LEAST_NODE}, and this is {told.strip()}")


@pytest.mark.usefixtures("nobody_throttled", "node_that_runs_bru")
async def test_the_collection_runs_from_signing_in_to_the_audit(
    gateway: Gateway, people: People, tmp_path: Path
) -> None:
    ada = await people.person("ada", PASSWORD)
    variables = {"base_url": gateway.url, "email": ada.email, "password": PASSWORD}
    # In a thread, as both services run in this process.
    told, results = await asyncio.to_thread(run, variables, tmp_path / "results.json")
    failed = {each["test"]["filename"]: wrong for each in results
              if (wrong := [one for one in assertions(each) if one[1] != "pass"])}  # fmt: skip
    assert failed == {}
    assert told.returncode == 0, told.stdout + told.stderr
    by_hand = [path.stem for path in REQUESTS if BY_HAND in path.read_text()]
    assert len(results) == len(REQUESTS) - len(by_hand) > 40
    assert [name for name in by_hand if "_Get" in name or "_List" in name] == []


def test_the_collection_is_current() -> None:
    wanted = collection(json.loads(DOCUMENT.read_text()))
    found = {path.relative_to(FOLDER).as_posix(): path.read_text() for path in FOLDER.rglob("*") if path.is_file()}
    assert found == wanted, "write it anew: make protos"


def assertions(result: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """What was looked at, how it ended, and why."""
    found = [
        (f"{each['lhsExpr']}: {each['rhsExpr']}", each["status"], each.get("error"))
        for each in result["assertionResults"]
    ]
    return found or [("no assertion", "fail", result["error"])]


def run(variables: dict[str, str], results: Path) -> "tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]":
    """How it ended, and each request's result."""
    program = str(npm.install(NODE) / "bru")
    chosen = [f"--env-var={name}={value}" for name, value in variables.items()]
    command = [program, "run", "-r", "--env=local", *chosen, f"--exclude-tags={BY_HAND}", f"--reporter-json={results}"]
    told = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    [summary] = json.loads(results.read_text())
    return told, summary["results"]
