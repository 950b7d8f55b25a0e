"""docs/openapi.json against the running gateway: what it says of requests, answers and errors is so (schemathesis)."""

import asyncio
import copy
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tenantry.gateway.openapi import DOCUMENT
from tenantry.testing.people import People, TestPerson
from tests.gateway.gateways import Gateway

API: dict[str, Any] = json.loads(DOCUMENT.read_text())
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# They end the session or the account that all others are called with.
ENDINGS = ("SessionService_RevokeSession", "UserService_DeleteUser", "UserService_DeleteUser_2")


@pytest.mark.usefixtures("nobody_throttled")
async def test_the_gateway_answers_as_its_description_says(gateway: Gateway, people: People, tmp_path: Path) -> None:
    ada = await people.person("ada")
    places, doomed = await made_places(gateway, people, ada), await made_places(gateway, people, ada)
    description = tmp_path / "openapi.json"
    description.write_text(json.dumps(tightened(API, places, doomed)))
    # In a thread, as both services run in this process.
    told = await asyncio.to_thread(run, description, gateway, ada, tmp_path / "run.har")
    assert told.returncode == 0, told.stdout[-6000:]
    statuses = answered(tmp_path / "run.har")
    assert {400, 403, 404} <= set.union(*statuses.values())
    paths = [filled(path, places) for path, methods in API["paths"].items() if "get" in methods]
    assert [path for path in paths if 200 not in statuses["GET", path]] == []


async def made_places(gateway: Gateway, people: People, ada: TestPerson) -> dict[str, str]:
    """What there is, by the names of parameters; the slugs by those of their paths."""

    async def made(path: str, kind: str, **body: str) -> dict[str, str]:
        answer = await gateway.call("POST", path, ada.token, json=body)
        found: dict[str, str] = answer.json()[kind]
        return found

    organization = await made("/v1/organizations", "organization", slug=people.slug())
    below = f"/v1/organizations/{organization['organizationId']}"
    project = await made(f"{below}/projects", "project", slug="api")
    invitation = await made(f"{below}/invitations", "invitation", email="bo@example.com", role="ORG_ROLE_GUEST")
    return {
        "organization_id": organization["organizationId"],
        "project_id": project["projectId"],
        "user_id": ada.user_id,
        "session_id": ada.session_id,
        "invitation_id": invitation["invitationId"],
        "organizations/slug": organization["slug"],
        "projects/slug": project["slug"],
    }


def tightened(api: dict[str, Any], places: dict[str, str], doomed: dict[str, str]) -> dict[str, Any]:
    """Of answers no field may be unknown, and no status other than those named. Examples lead to what there is; what is
    deleted is doomed, not what others read.
    """
    found = copy.deepcopy(api)
    for schema in found["components"]["schemas"].values():
        if schema["type"] == "object":
            schema["additionalProperties"] = False
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            error = operation["responses"].pop("default")
            for status in re.findall(r"^- (\d+):", error["description"], re.MULTILINE):
                operation["responses"][status] = error
            body = operation.get("requestBody", {"content": {}})["content"]
            for content in body.values():
                if "slug" in content["example"]:
                    content["example"]["slug"] = f"{places['organizations/slug']}-2"  # one that no other test has
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["example"] = value(path, parameter["name"], doomed if method == "delete" else places)
    return found


def value(path: str, name: str, places: dict[str, str]) -> str:
    return places["projects/slug" if "projects" in path else "organizations/slug"] if name == "slug" else places[name]


def filled(path: str, places: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda found: value(path, found[1], places), path)


def run(description: Path, gateway: Gateway, person: TestPerson, report: Path) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).parent / "schemathesis"
    options = ["--phases=examples,fuzzing", "--max-examples=4", "--seed=1", "--no-shrink", "--continue-on-failure",
               "--workers=2", "--generation-database=none", "--no-color"]  # fmt: skip
    left_out = [f"--exclude-operation-id={name}" for name in ENDINGS]
    signed_in = f"--header=authorization: Bearer {person.token}"
    command = [str(program), "run", str(description), f"--url={gateway.url}", signed_in,
               f"--checks={CHECKS}", *options, *left_out, f"--report-har-path={report}"]  # fmt: skip
    return subprocess.run(command, cwd=report.parent, capture_output=True, text=True, timeout=100, check=False)


def answered(report: Path) -> dict[tuple[str, str], set[int]]:
    """The statuses that each operation gave, by method and path."""
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    for entry in json.loads(report.read_text())["log"]["entries"]:
        path = urlsplit(entry["request"]["url"]).path
        found[entry["request"]["method"], path].add(entry["response"]["status"])
    return found


async def test_a_mask_in_the_query_names_fields_as_json_does(gateway: Gateway, people: People) -> None:
    ada = await people.person("ada")
    path = f"/v1/organizations/{await people.organization(ada)}"
    before = (await gateway.call("GET", path, ada.token)).json()["organization"]
    change = {"displayName": "Acme", "publicMetadata": {"plan": "large"}}
    after = await gateway.call("PATCH", f"{path}?updateMask=publicMetadata&requestId={uuid4()}", ada.token, json=change)
    told = after.json()["organization"]
    assert (told["publicMetadata"], told["displayName"]) == ({"plan": "large"}, before["displayName"])
    wrong = await gateway.call("PATCH", f"{path}?updateMask=nothing", ada.token, json=change)
    assert wrong.status_code == 400, wrong.text


async def test_ones_own_account_and_session_have_a_path(gateway: Gateway, people: People) -> None:
    ada = await people.person("ada")
    me = await gateway.call("PATCH", "/v1/users/me", ada.token, json={"displayName": "Ada L."})
    assert (me.json()["user"]["userId"], me.json()["user"]["displayName"]) == (ada.user_id, "Ada L.")
    assert (await gateway.call("GET", "/v1/users/me", ada.token)).json() == me.json()
    session = await gateway.call("GET", "/v1/sessions/current", ada.token)
    assert session.json()["session"]["sessionId"] == ada.session_id
